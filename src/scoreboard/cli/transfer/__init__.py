"""`scoreboard export` and `scoreboard import`: boards, actions, players and ledgers as files of rows."""
