// Two hosts, each with its panel, and one operator's desk with both in its inventory.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Desk, openDesk, openSite, type Site } from '../../demo/site.ts'

export interface Pair {
  readonly folder: string
  readonly sites: readonly [Site, Site]
  readonly desk: Desk
  /** Runs a shipped playbook; what checks the panel asks less often than on a real host. */
  run(playbook: string, ...more: readonly string[]): ReturnType<Desk['rota']>
  close(): Promise<void>
}

export async function openPair(): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'rota-pair-'))
  const [one, two] = await Promise.all([openSite(join(folder, 'one')), openSite(join(folder, 'two'))])
  const desk = openDesk(join(folder, 'desk'), { 'one.example': one.variables, 'two.example': two.variables })
  return {
    folder,
    sites: [one, two],
    desk,
    run: (playbook, ...more) =>
      desk.rota(['run', `playbooks/${playbook}`, '-i', desk.inventory, '-e', 'panel_tries=3', ...more]),
    close: async () => {
      await Promise.all([one.close(), two.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
