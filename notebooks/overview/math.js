// How MathJax typesets a page. It has to be read before MathJax itself.
window.MathJax = {
  tex: { inlineMath: [["$", "$"]], displayMath: [["$$", "$$"]], processEscapes: true },
  svg: { scale: 0.93 }, // text in system fonts is smaller than MathJax takes it to be
  // The menu would load further files, which are not here. Screen readers get MathML all the same.
  options: { enableMenu: false, enableAssistiveMml: true },
  startup: {
    pageReady: async () => {
      await MathJax.startup.defaultPageReady();
      markWide();
      addEventListener("resize", markWide);
      // Formulas have moved what the address points to.
      if (location.hash && scrollY > 0) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
      document.body.classList.add("typeset");
    },
  },
};

// A formula inside of a sentence that is wider than its column scrolls by itself. (Others would lose their base line.)
function markWide() {
  for (const formula of document.querySelectorAll("mjx-container:not([display])")) {
    const column = formula.closest("p, li, h1, h2, h3, td, th");
    const width = formula.firstElementChild.getBoundingClientRect().width;
    formula.classList.toggle("wide", Boolean(column) && !column.closest("table") && width > column.clientWidth);
  }
}
