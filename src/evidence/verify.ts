import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Problem, problem, RotaError } from '../core/error.ts'
import { sh } from '../core/script.ts'
import { type Chain, parseChain, renderHead, sha256 } from './chain.ts'

/** Every file of a closed evidence folder that the manifest lists, in its order. */
export const listed = ['VERIFY.sh', 'events.jsonl', 'head', 'summary.json', 'summary.txt'] as const
export const MANIFEST = 'MANIFEST.sha256'

/** The lines of `sha256sum`. */
export function renderManifest(contents: ReadonlyMap<string, Uint8Array>): string {
  return listed.map(name => `${sha256(contents.get(name) ?? '')}  ${name}\n`).join('')
}

/**
 * The same checks as `verifyEvidence`, for an auditor who has only a POSIX sh and sha256sum. An argument is the sha256 of
 * MANIFEST.sha256 as noted elsewhere: it proves that nothing was rewritten as a whole.
 */
export const verifyScript = sh`#!/bin/sh
# Verifies this folder with nothing but a POSIX sh and sha256sum.
# Usage: sh VERIFY.sh [SEAL]   (SEAL: the sha256 of MANIFEST.sha256, as noted when the run ended)
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")" || exit 1
bad=0
say() { printf '%s\n' "$1" >&2; bad=1; }
# Prints the sha256 of its input: sha256sum's own line without the name.
sum() { sum=$(sha256sum) && printf '%s' "\${sum%% *}"; }

seal=$1
set -- VERIFY.sh events.jsonl head summary.json summary.txt
for name do
  if [ ! -f "$name" ]; then say "$name: missing"; fi
done
if [ ! -f MANIFEST.sha256 ]; then say 'MANIFEST.sha256: missing, the evidence was never closed'
elif [ "$(sha256sum "$@" 2>/dev/null | sum)" != "$(sum < MANIFEST.sha256)" ]; then say 'MANIFEST.sha256: a file is not as it was when the evidence was closed'
elif [ -n "$seal" ] && [ "$(sum < MANIFEST.sha256)" != "$seal" ]; then say 'MANIFEST.sha256: not the one that the seal was noted of'
fi

count=0
prev=0000000000000000000000000000000000000000000000000000000000000000
broken=
if [ -f events.jsonl ]; then
  while IFS= read -r line; do
    case $line in
      "{\"v\":1,\"seq\":$count,\"prev\":\"$prev\","*) ;;
      *) say "events.jsonl: line $((count + 1)) does not follow the one before it"; broken=1; break ;;
    esac
    prev=$(printf '%s\n' "$line" | sum)
    count=$((count + 1))
    line=
  done < events.jsonl
  if [ -z "$broken" ] && [ -n "$line" ]; then say "events.jsonl: line $((count + 1)) is cut off"; fi
fi
if [ -z "$broken" ] && [ -f head ] && [ "$(printf '%s %s\n' "$count" "$prev" | sum)" != "$(sum < ./head)" ]; then say 'head: not where events.jsonl ends'; fi

if [ "$bad" = 0 ]; then printf 'OK: %s events\n' "$count"; fi
exit "$bad"
`

export interface Verified {
  /** Nothing wrong when empty. */
  readonly problems: readonly Problem[]
  readonly events: number
  /** sha256 of MANIFEST.sha256: noted elsewhere, it proves later that nothing was rewritten as a whole. */
  readonly seal: string | undefined
}

async function readAll(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>()
  for (const name of [...listed, MANIFEST])
    await readFile(join(folder, name)).then(
      bytes => found.set(name, bytes),
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT')
          throw problem('E_EVIDENCE', `cannot read ${join(folder, name)}: ${error.code}`, { cause: error })
      },
    )
  return found
}

const hints = {
  missing: 'take the file from another copy of the evidence',
  unclosed: 'the run was killed: rota resume or rota rollback goes on with it and closes its evidence',
  changed: 'compare with another copy of the evidence',
}

function checkManifest(found: ReadonlyMap<string, Buffer>, seal: string | undefined): Problem[] {
  const manifest = found.get(MANIFEST)
  const at = (message: string, hint: string): Problem[] => [{ code: 'E_EVIDENCE', message, hint }]
  if (!manifest) return at(`${MANIFEST}: missing, the evidence was never closed`, hints.unclosed)
  // Compared byte by byte, as the script does: latin1 keeps every byte apart.
  if (manifest.toString('latin1') !== renderManifest(found))
    return at(`${MANIFEST}: a file is not as it was when the evidence was closed`, hints.changed)
  if (seal !== undefined && sha256(manifest) !== seal)
    return at(`${MANIFEST}: not the one that the seal was noted of`, hints.changed)
  return []
}

function checkChain(
  found: ReadonlyMap<string, Buffer>,
  folder: string,
): { problems: Problem[]; events: number } {
  const bytes = found.get('events.jsonl') ?? Buffer.alloc(0)
  let chain: Chain
  try {
    chain = parseChain(bytes, join(folder, 'events.jsonl'))
  } catch (error) {
    if (error instanceof RotaError) return { problems: [...error.problems], events: 0 }
    throw error
  }
  const problems: Problem[] = []
  const { count } = chain.head
  const complain = (message: string): void => {
    problems.push({ code: 'E_EVIDENCE', message, hint: hints.changed })
  }
  if (chain.sizeBytes < bytes.length) complain(`events.jsonl: line ${count + 1} is cut off`)
  const head = found.get('head')
  if (head && head.toString('latin1') !== renderHead(chain.head))
    complain('head: not where events.jsonl ends')
  return { problems, events: count }
}

/**
 * Checks a closed evidence folder: every file against the manifest, every line of events against the one before, their end
 * against the head, and with `seal` that it is the very evidence the seal was noted of. VERIFY.sh does the same.
 * Throws E_EVIDENCE only when a file cannot be read.
 */
export async function verifyEvidence(folder: string, seal?: string): Promise<Verified> {
  const found = await readAll(folder)
  const missing = listed
    .filter(name => !found.has(name))
    .map((name): Problem => ({ code: 'E_EVIDENCE', message: `${name}: missing`, hint: hints.missing }))
  const { problems, events } = checkChain(found, folder)
  const manifest = found.get(MANIFEST)
  return {
    problems: [...missing, ...checkManifest(found, seal), ...problems],
    events,
    seal: manifest && sha256(manifest),
  }
}
