// Shows the OpenAPI document of this server with Swagger UI. An entered token is kept only in the memory of this page.

const dark = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const follow = () => root.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// Names for fields that Swagger UI does not label for screen readers. Its headings are one level too low.
const NAMES = {
  ".body-param__text": "Request body",
  ".content-type-wrapper select, .body-param-content-type select, .content-type": "Media type",
  ".examples-select-element": "Example",
  ".parameters input, .parameters select": (field) => field.closest("tr")?.dataset.paramName ?? "Value",
};

function name(within) {
  for (const [selector, text] of Object.entries(NAMES)) {
    for (const field of within.querySelectorAll(selector)) {
      if (!field.labels?.length && !field.ariaLabel) field.ariaLabel = typeof text === "string" ? text : text(field);
    }
  }
  for (const heading of within.querySelectorAll("h3, h4, h5")) heading.ariaLevel = String(heading.tagName[1] - 1);
  const about = within.querySelector(".information-container");
  if (about) Object.assign(about, { role: "region", ariaLabel: "About this API" });
}

const reference = document.querySelector("#reference");
new MutationObserver(() => name(reference)).observe(reference, { childList: true, subtree: true });

window.SwaggerUIBundle({
  domNode: reference,
  url: "openapi.json",
  validatorUrl: null,
  persistAuthorization: false,
  queryConfigEnabled: false,
  tryItOutEnabled: true,
  syntaxHighlight: { theme: "nord" },
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
});
