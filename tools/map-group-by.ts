/** Vitest prints failures with `Map.groupBy`, which Node 20 does not have: without this it hides what failed. */

function groupBy<Key, Item>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return groups
}

const constructor = Map as unknown as { groupBy?: typeof groupBy }
constructor.groupBy ??= groupBy
