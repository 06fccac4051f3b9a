// Light or dark as the reader has said here; without a word, as their system says.
(() => {
  const KEY = "yjs-relay-theme";
  const read = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is off; the system's choice will do
    }
  };
  const show = (theme) => {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  show(read());
  globalThis.yjsRelayTheme = {
    get: () => document.documentElement.dataset.theme ?? "system",
    next() {
      const theme = { system: "light", light: "dark", dark: "system" }[this.get()];
      show(theme);
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // It holds until the page is left.
      }
    },
  };
})();
