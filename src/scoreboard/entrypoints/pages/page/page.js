/** The page at `/`. Its address sets the attributes of the element, and the choices of a viewer update the address. */

import "./element.js";

const CHOSEN = ["app", "board", "season", "region", "find"];
const element = document.querySelector("live-scoreboard");
const query = new URLSearchParams(location.search);

for (const name of [...CHOSEN, "limit", "theme", "tv"]) {
  if (query.has(name)) element.setAttribute(name, query.get(name));
}
if (query.has("theme")) document.documentElement.dataset.theme = query.get("theme");
element.toggleAttribute("controls", !query.has("tv"));
element.hidden = false;

element.addEventListener("scoreboard-board", (event) => {
  document.title = `${event.detail.name} · Scoreboard`;
});

element.addEventListener("scoreboard-choose", (event) => {
  const address = new URL(location.href);
  for (const name of CHOSEN) {
    if (event.detail[name]) address.searchParams.set(name, event.detail[name]);
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
});
