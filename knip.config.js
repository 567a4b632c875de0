import { doors, platformModules } from "./tools/doors.js"

export default {
  entry: [
    "test/runtimes/plain.ts",
    "examples/*.mjs",
    ...doors.map(({ name }) => `src/${name}.ts`),
    ...platformModules.map((name) => `src/${name}.ts`),
  ],
  // a type that a declaration mentions must be exported, isolatedDeclarations or not
  ignoreExportsUsedInFile: { interface: true, type: true },
  // Debian's, started by tools/webkitgtk.ts
  ignoreBinaries: ["Xvfb", "WebKitWebDriver"],
  // run by name, in tools/check-published.js
  ignoreDependencies: ["@arethetypeswrong/cli", "publint"],
}
