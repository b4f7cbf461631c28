/**
 * The element for any page, loaded by one tag: <script type="module" src="https://scores.example/embed.js"></script>
 * Every module is imported here, so that a browser fetches them in parallel.
 */

import "./page/{version}/client/request.js";
import "./page/{version}/client/connection.js";
import "./page/{version}/client/scoreboard.js";
import "./page/{version}/model.js";
import "./page/{version}/texts.js";
import "./page/{version}/follow.js";
import "./page/{version}/rows.js";
import "./page/{version}/choose.js";
import "./page/{version}/find.js";
import "./page/{version}/view.js";
import "./page/{version}/element.js";
