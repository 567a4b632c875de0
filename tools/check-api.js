/**
 * The public API of each door, as text that a reviewer can diff: etc/*.api.md. `npm run check api -- --accept` writes it.
 */

import { mkdir } from "node:fs/promises"
import { join } from "node:path"

import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor"

import { doors } from "./doors.js"
import { root } from "./run.js"

const accept = process.argv.includes("--accept")

/** @param {import("./doors.js").Door} door */
function configOf({ name, runsOnNode, speaksHttp }) {
  const reportFileName = name.replaceAll("/", "-")
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(root, "dist", `${name}.d.ts`),
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            // the other doors do without the platform's types
            lib: speaksHttp ? ["ES2022", "DOM"] : ["ES2022"],
            types: runsOnNode ? ["node"] : [],
            typeRoots: [join(root, "node_modules/@types")],
            module: "ESNext",
            moduleResolution: "bundler",
            skipLibCheck: true,
          },
          files: [`dist/${name}.d.ts`],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName,
        reportFolder: join(root, "etc"),
        reportTempFolder: join(root, "temp"),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: "lf",
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.Error },
          // a door's rooms are private: nothing is half-released, so no release tags
          "ae-missing-release-tag": { logLevel: ExtractorLogLevel.None },
          // a comment may name a type of another door
          "ae-unresolved-link": { logLevel: ExtractorLogLevel.None },
          // the report marks them
          "ae-undocumented": { logLevel: ExtractorLogLevel.None },
          // the report shows them, where a reviewer can ask why
          "ae-forgotten-export": { logLevel: ExtractorLogLevel.Warning, addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, "package.json"),
  })
}

/** @returns {Promise<string>} */
export async function check() {
  await mkdir(join(root, "etc"), { recursive: true })
  /** @type {string[]} */
  const problems = []
  for (const door of doors) {
    const { name } = door
    const result = Extractor.invoke(configOf(door), {
      localBuild: accept,
      messageCallback: (message) => {
        if (message.logLevel === ExtractorLogLevel.Error) problems.push(message.text)
        message.handled = true
      },
    })
    if (result.apiReportChanged && !accept)
      problems.push(`etc/${name.replaceAll("/", "-")}.api.md is not the API that was built`)
  }
  if (problems.length > 0)
    throw new Error(`${problems.join("\n")}\nnpm run check api -- --accept writes the report anew`)
  return `${doors.length} reports${accept ? " written" : ""}`
}
