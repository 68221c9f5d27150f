// Keycloak's label above the name that was already given points to a field of an earlier page, so a screen reader says nothing.
// Mended here, because the template with it is the whole frame of every page and would have to be followed at every upgrade.
document.addEventListener("DOMContentLoaded", () => {
  const given = document.getElementById("kc-attempted-username");
  const label = document.querySelector('label[for="username"]');
  if (given && label) label.htmlFor = given.id;
});
