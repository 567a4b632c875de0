import { describe, expect, it } from "vitest"

import { createLanes } from "../../src/crypto/lanes.ts"

/** Operations that end when they are told to, over lanes that are numbered. */
function world(most: number) {
  let imports = 0
  const running: { readonly lane: number; readonly end: () => void; readonly name: string }[] = []
  const lanes = createLanes(() => Promise.resolve(++imports), most)
  const start = (name: string, fails = false): Promise<string> =>
    lanes(async (lane) => {
      await new Promise<void>((end) => running.push({ lane, end, name }))
      if (fails) throw new Error(name)
      return name
    })
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))
  return { running, start, settle, imports: () => imports }
}

describe("lanes", () => {
  it("run one operation at a time on each import, and the others in the order in which they came", async () => {
    const { running, start, settle, imports } = world(2)
    const all = ["a", "b", "c", "d"].map((name) => start(name))
    await settle()
    expect(running.map(({ name, lane }) => [name, lane])).toEqual([
      ["a", 1],
      ["b", 2],
    ])
    running[1]?.end()
    await settle()
    expect(running.at(-1)).toMatchObject({ name: "c", lane: 2 })
    running[0]?.end()
    await settle()
    expect(running.at(-1)).toMatchObject({ name: "d", lane: 1 })
    for (const { end } of running) end()
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d"])
    expect(imports()).toBe(2)
  })

  it("import the key once for those who come one after another", async () => {
    const { running, start, settle, imports } = world(4)
    for (const name of ["a", "b", "c"]) {
      const result = start(name)
      await settle()
      running.at(-1)?.end()
      expect(await result).toBe(name)
    }
    expect(imports()).toBe(1)
  })

  it("go on after an operation that failed", async () => {
    const { running, start, settle } = world(1)
    const failed = start("a", true)
    const next = start("b")
    await settle()
    running[0]?.end()
    await expect(failed).rejects.toThrow("a")
    await settle()
    running[1]?.end()
    expect(await next).toBe("b")
  })
})
