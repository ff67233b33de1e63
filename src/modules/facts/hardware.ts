import type { Raw } from './distribution.ts'

type Facts = Record<string, unknown>
const MIB_KIB = 1024

export function renderHardware(raw: Raw): Facts {
  return {
    ...renderMemory(raw),
    ...renderProcessor(raw),
    mounts: renderMounts(raw),
    devices: renderDevices(raw),
    ...renderDmi(raw),
    ...(raw['uptime'] ? { uptime_seconds: Math.floor(Number(raw['uptime'].split(' ')[0])) } : {}),
  }
}

/** /proc/meminfo counts in KiB, the facts in MiB. */
function renderMemory(raw: Raw): Facts {
  const kib = new Map(
    [...(raw['meminfo'] ?? '').matchAll(/^(\w+):\s+(\d+)/gm)].map(([, name, size]) => [name!, Number(size)]),
  )
  if (kib.size === 0) return {}
  const mib = (name: string): number => Math.floor((kib.get(name) ?? 0) / MIB_KIB)
  const [total, free] = [mib('MemTotal'), mib('MemFree')]
  const cached = mib('Cached') + mib('Buffers')
  const [swapTotal, swapFree] = [mib('SwapTotal'), mib('SwapFree')]
  return {
    memtotal_mb: total,
    memfree_mb: free,
    swaptotal_mb: swapTotal,
    swapfree_mb: swapFree,
    memory_mb: {
      real: { total, free, used: total - free },
      nocache: { free: free + cached, used: total - free - cached },
      swap: { total: swapTotal, free: swapFree, used: swapTotal - swapFree, cached: mib('SwapCached') },
    },
  }
}

function renderProcessor(raw: Raw): Facts {
  const lines = (raw['cpuinfo'] ?? '').split('\n').map(line => line.split(/\s*:\s*/))
  const all = (name: string): string[] =>
    lines.filter(([key]) => key?.trim() === name).map(([, value]) => value ?? '')
  const vcpus = Math.max(1, all('processor').length)
  const sockets = Math.max(1, new Set(all('physical id')).size)
  const cores = Number(all('cpu cores')[0] ?? 0) || Math.max(1, Math.floor(vcpus / sockets))
  const siblings = Number(all('siblings')[0] ?? 0)
  const shown = ['processor', 'vendor_id', 'model name', 'Processor', 'cpu']
  return {
    processor: lines.filter(([key]) => shown.includes(key?.trim() ?? '')).map(([, value]) => value ?? ''),
    processor_count: sockets,
    processor_cores: cores,
    processor_threads_per_core: siblings > 0 ? Math.max(1, Math.floor(siblings / cores)) : 1,
    processor_vcpus: vcpus,
    processor_nproc: Number(raw['nproc'] ?? vcpus) || vcpus,
  }
}

/** `\040` and its like in /proc/mounts. */
function decodePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** File systems on devices and from other hosts; not those of the kernel. */
function renderMounts(raw: Raw): Facts[] {
  const uuids = new Map(
    (raw['uuids'] ?? '').split('\n').map(line => [line.split(' ')[1] ?? '', line.split(' ')[0] ?? '']),
  )
  const sizes = new Map(
    (raw['sizes'] ?? '').split('\n').map(line => {
      const at = line.indexOf('|')
      return [line.slice(at + 1), line.slice(0, at).split(' ').map(Number)]
    }),
  )
  return (raw['mounts'] ?? '')
    .split('\n')
    .map(line => line.split(' '))
    .filter(([device, , fstype]) => device && /^\/|:\//.test(device) && fstype !== 'none')
    .map(([device, place, fstype, options]) => ({
      device: decodePath(device!),
      mount: decodePath(place!),
      fstype,
      options,
      uuid: uuids.get(device!) ?? 'N/A',
      ...renderSize(sizes.get(place!) ?? []),
    }))
}

function renderSize([
  block = 0,
  total = 0,
  available = 0,
  inodes = 0,
  freeInodes = 0,
]: readonly number[]): Facts {
  if (block === 0) return {}
  return {
    block_size: block,
    block_total: total,
    block_available: available,
    block_used: total - available,
    size_total: block * total,
    size_available: block * available,
    inode_total: inodes,
    inode_available: freeInodes,
    inode_used: inodes - freeInodes,
  }
}

const SECTOR_BYTES = 512

function renderDevices(raw: Raw): Facts {
  const devices: Record<string, Facts & { partitions: Facts }> = {}
  const sizes = new Map<string, number>()
  for (const [name, key, value] of (raw['blocks'] ?? '').split('\n').map(line => line.split('|'))) {
    if (!name || key === undefined || value === undefined) continue
    const device = devices[name] ?? { virtual: 1, holders: [], host: '', partitions: {} }
    devices[name] = device
    const text = value.trim()
    if (key === 'size') sizes.set(name, Number(text))
    else if (key === 'part') addPartition(device.partitions, text)
    else if (key === 'queue/hw_sector_size') device['sectorsize'] = text
    else if (key === 'device/model' || key === 'device/vendor')
      device[key.slice('device/'.length)] = text || null
    else if (key !== 'ro') device[key.replace('queue/', '')] = text
  }
  for (const [name, sectors] of sizes) {
    devices[name]!['sectors'] = String(sectors)
    devices[name]!['size'] = renderBytes(sectors * SECTOR_BYTES)
  }
  return devices
}

function addPartition(partitions: Facts, text: string): void {
  const [name, start, sectors] = text.split(' ')
  partitions[name!] = {
    start,
    sectors,
    sectorsize: SECTOR_BYTES,
    size: renderBytes(Number(sectors) * SECTOR_BYTES),
    holders: [],
  }
}

/** As Ansible's human_readable: `256.00 GB`, in steps of 1024. */
function renderBytes(bytes: number): string {
  const step = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return `${(bytes / 1024 ** step).toFixed(2)} ${['Bytes', 'KB', 'MB', 'GB', 'TB'][step]}`
}

function renderDmi(raw: Raw): Facts {
  const entries = (raw['dmi'] ?? '')
    .split('\n')
    .filter(line => line.includes('|'))
    .map(line => {
      const at = line.indexOf('|')
      return [line.slice(0, at).replace('sys_vendor', 'system_vendor'), line.slice(at + 1).trim() || 'NA']
    })
  return Object.fromEntries(entries)
}
