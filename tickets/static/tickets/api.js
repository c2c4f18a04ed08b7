// Shows the specification that the element names, in the colours that the reader's system has.
const place = document.getElementById("api");
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);

dark.addEventListener("change", paint);
paint();
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.specification,
  deepLinking: true,
  // To look around is safe; to try a purchase out would take a seat.
  supportedSubmitMethods: ["get", "head"],
});
