import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { problem } from '../core/error.ts'
import type { Disk } from './disk.ts'

/** A process for as long as it lives: a pid alone is used again, so its start and the machine's boot are part of it. */
export interface Holder {
  readonly machine: string
  readonly boot: string
  readonly pid: number
  /** Clock ticks from boot to the start of the process, as /proc says; empty where there is no /proc. */
  readonly started: string
}

export interface Processes {
  self(): Holder
  /** True also when it cannot be known, as for a process of another machine. */
  isAlive(holder: Holder): boolean
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
/** Field 22 of /proc/PID/stat (proc(5)), counted after the command's closing parenthesis, which may hold anything. */
function startOf(pid: number): string {
  const stat = readText(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
function hasProcess(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

export const realProcesses: Processes = {
  self: () => ({
    machine: hostname(),
    boot: readText('/proc/sys/kernel/random/boot_id').trim(),
    pid: process.pid,
    started: startOf(process.pid),
  }),
  isAlive(holder) {
    const self = this.self()
    if (holder.machine !== self.machine) return true
    return holder.boot === self.boot && hasProcess(holder.pid) && holder.started === startOf(holder.pid)
  },
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { machine, boot, pid, started } = JSON.parse(text)
    return typeof pid === 'number' ? { machine, boot, pid, started } : undefined
  } catch {
    return undefined
  }
}

/** Lock files are `lock.1`, `lock.2`, …: the highest one counts. */
async function highest(disk: Disk, folder: string): Promise<number> {
  const names = await disk.list(folder)
  return Math.max(0, ...names.flatMap(name => /^lock\.([1-9]\d*)$/.exec(name)?.[1] ?? []).map(Number))
}

/**
 * Locks a folder for this process; call the result to unlock. The holder of the highest number has the lock, and the lock of
 * a dead holder is taken over by making the next number, which only one process can make. No lock of another process is
 * ever removed, so that there is no moment at which two could hold it. Throws E_LOCKED naming the holder.
 */
export async function lockFolder(
  folder: string,
  disk: Disk,
  processes: Processes,
): Promise<() => Promise<void>> {
  for (;;) {
    const last = await highest(disk, folder)
    const text = last === 0 ? undefined : await disk.read(join(folder, `lock.${last}`))
    // Gone between the two looks: look again.
    if (last > 0 && text === undefined) continue
    const holder = text && parseHolder(text.toString('utf8'))
    if (holder && processes.isAlive(holder))
      throw problem('E_LOCKED', `process ${holder.pid} on ${holder.machine} is working in ${folder}`, {
        hint: 'wait until it has ended; a lock of a process that died is taken over by itself',
      })
    const file = join(folder, `lock.${last + 1}`)
    if (await disk.createWhole(file, JSON.stringify(processes.self()))) return () => disk.remove(file)
  }
}
