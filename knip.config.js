import { doors, platformModules } from "./tools/doors.js"

export default {
  entry: [...doors.map(({ name }) => `src/${name}.ts`), ...platformModules.map((name) => `src/${name}.ts`)],
  // run by name, in tools/check-published.js
  ignoreDependencies: ["@arethetypeswrong/cli", "publint"],
}
