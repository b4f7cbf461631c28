/** The page at `/`: hands the board named in the address to the element. */

import "./board.js";

const query = new URLSearchParams(location.search);
const element = document.querySelector("live-scoreboard");

for (const name of ["app", "board", "region", "season"]) {
  const value = query.get(name);
  if (value) element.setAttribute(name, value);
}
element.addEventListener("scoreboard-title", (event) => {
  document.title = `${event.detail} · Scoreboard`;
});
