// A wide table scrolls by itself: the keyboard must reach it. Each of the theme's code toolbars needs a name of its own.
// The theme makes both while the page loads and as code scrolls into view.
function name() {
  document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])").forEach((wrap) => wrap.setAttribute("tabindex", "0"));
  document.querySelectorAll(".md-code__nav:not([id])").forEach((nav) => {
    nav.id = `${nav.parentElement.id}-toolbar`;
    nav.setAttribute("aria-label", `Toolbar ${nav.id}`);
  });
}
new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
