/**
 * Measures sealed files beside their peers: `npm run build && npm ci --prefix bench && node bench/files.mjs`.
 *
 *     node bench/files.mjs [--mib 512] [--rounds 5] [--folder /dev/shm] [--only raw,sealwire] [--memory-gib 5] [--range-gib 1]
 *
 * Each turn is a process of its own; all contenders take turns, and a ratio is the median of those within a round. `--folder` holds
 * four files of `--mib`, and two of `--memory-gib`; best in memory, so that no disk decides. `--memory-gib 0` and `--range-gib 0` leave those out.
 */

import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { open, rm, stat, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

import { temporaryFolder } from "../tools/temporary-folder.js"

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "512" },
    rounds: { type: "string", default: "5" },
    folder: { type: "string", default: "/dev/shm" },
    only: { type: "string", default: "raw,sealwire,age-encryption,openpgp,openpgp, AEAD" },
    "memory-gib": { type: "string", default: "5" },
    "range-gib": { type: "string", default: "1" },
  },
})
const BARS = { raw: 0.9, "age-encryption": 10, openpgp: 4 }
const folder = temporaryFolder("bench", values.folder)
const at = (name) => join(folder, name)
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

/** Runs Node, and gives what it prints. */
function node(args, stdio = ["ignore", "pipe", "inherit"]) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio })
    let text = ""
    for (const stream of [child.stdout, child.stdio[3]]) stream?.on("data", (chunk) => (text += chunk))
    child.on("error", reject)
    child.on("close", (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${args[0]} ended with ${code}`)),
    )
  })
}

/** Random bytes: a disk or a hypervisor may be clever about zeros. */
async function makePlain(path, mib) {
  const file = await open(path, "w")
  const step = randomBytes(1 << 20)
  for (let i = 0; i < mib; i++) await file.write(step)
  await file.close()
}

async function measureSpeed() {
  const mib = Number(values.mib)
  await makePlain(at("plain"), mib)
  // one has a comma in its name
  const names = values.only.split(/,(?! )/)
  const turns = { seal: {}, open: {} }
  // the first round warms up what all of them use
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const name of names) {
      for (const [work, from, to] of [
        ["seal", "plain", "sealed"],
        ["open", "sealed", "opened"],
      ]) {
        const turn = JSON.parse(await node([here("files/turn.mjs"), name, work, at(from), at(to)]))
        if (round > 0) (turns[work][name] ??= []).push(turn)
      }
      const sizes = await Promise.all(["plain", "opened"].map(async (each) => (await stat(at(each))).size))
      if (sizes[0] !== sizes[1]) throw new Error(`${name} opened ${sizes[1]} bytes, not ${sizes[0]}`)
      await Promise.all(["sealed", "opened", "sealed.key"].map((each) => rm(at(each))))
    }
  }
  await rm(at("plain"))
  for (const [work, byName] of Object.entries(turns)) reportSpeed(work, byName, mib)
}

function reportSpeed(work, byName, mib) {
  for (const [name, all] of Object.entries(byName)) {
    const of = (what) => median(all.map((each) => each[what]))
    const ratio = (what) => median(all.map((each, round) => each[what] / byName.sealwire[round][what]))
    const bar = BARS[name]
    const told = bar ? ` (bar ${bar}${ratio("ms") < bar ? ", MISSED" : ""})` : ""
    const beside = `sealwire is ${ratio("ms").toFixed(2)} x as fast${told}, ${ratio("cpuMs").toFixed(2)} by processor time`
    const speed = ((mib * 1.048576) / (of("ms") / 1000)).toFixed(0).padStart(6)
    console.log(
      `${work}  ${name.padEnd(15)} ${speed} MB/s  ${of("cpuMs").toFixed(0).padStart(6)} ms of a core  ` +
        `+${Math.round(of("grownMiB"))} MiB  ${name === "sealwire" ? "" : beside}`,
    )
  }
}

/** The command, with its largest memory on file descriptor 3. */
async function command(args, stdout) {
  const report = `import {writeSync} from "node:fs"; process.on("exit", () => writeSync(3, String(process.resourceUsage().maxRSS)))`
  const cli = ["--import", `data:text/javascript,${encodeURIComponent(report)}`, here("../dist/cli/main.js")]
  return Number(await node([...cli, ...args], ["ignore", stdout, "inherit", "pipe"])) / 1024
}

async function measureMemory(gib) {
  // a file with a hole takes no room, and reads as any other
  await writeFile(at("large"), "")
  await truncate(at("large"), gib * 2 ** 30)
  await command(["keygen", "--bits", "2048", at("bob")], "ignore")
  const started = await command(["--version"], "ignore")
  const seal = ["seal", "--file", "--to", at("bob.public.pem"), at("large"), "-o", at("large.sealed")]
  const open = [
    "open",
    "--file",
    "--key",
    at("bob.private.pem"),
    at("large.sealed"),
    "-o",
    at("large.opened"),
  ]
  const start = performance.now()
  const [sealed, opened] = [await command(seal, "ignore"), await command(open, "ignore")]
  const seconds = ((performance.now() - start) / 1000).toFixed(0)
  const show = (mib) => `+${Math.round(mib - started)} MiB`
  console.log(
    `${gib} GiB by the command: seal ${show(sealed)}, open ${show(opened)} above its start at ${Math.round(started)} MiB (bar +64), ${seconds} s`,
  )
  await Promise.all(["large", "large.sealed", "large.opened"].map((name) => rm(at(name))))
}

async function measureRange(gib) {
  const { generateKeyPair } = await import("../dist/index.js")
  const { fileReader, sealFile } = await import("../dist/file.js")
  const { openRange } = await import("../dist/stream.js")
  const { publicKey, privateKey } = await generateKeyPair()
  await writeFile(at("film"), "")
  await truncate(at("film"), gib * 2 ** 30)
  await sealFile(at("film"), at("film.sealed"), { to: publicKey })
  const file = await fileReader(at("film.sealed"))
  const start = performance.now()
  const opened = await openRange(file, { with: privateKey })
  const headMs = performance.now() - start
  const times = []
  for (let i = 0; i < 200; i++) {
    const offset = Math.floor(Math.random() * (opened.size - 1024))
    const before = performance.now()
    await opened.read(offset, 1024)
    times.push(performance.now() - before)
  }
  await file.close()
  const worst = Math.max(...times).toFixed(2)
  console.log(
    `1 KiB of ${gib} GiB: median ${median(times).toFixed(2)} ms, worst of 200 ${worst} ms (bar 10); the head ${headMs.toFixed(1)} ms`,
  )
}

try {
  console.log(
    `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}, ${values.mib} MiB, ${values.rounds} rounds`,
  )
  await measureSpeed()
  if (Number(values["memory-gib"]) > 0) await measureMemory(Number(values["memory-gib"]))
  if (Number(values["range-gib"]) > 0) await measureRange(Number(values["range-gib"]))
} finally {
  await rm(folder, { recursive: true })
}
