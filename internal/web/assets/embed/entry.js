// What /panel.js serves: the address stays short, the files stay together.
export { AsidePanel } from "/assets/embed/panel.js";
