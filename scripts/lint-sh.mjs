// Every sh`…` literal of src through shellcheck, and parsed by dash, busybox sh and bash --posix.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root } from './setup.mjs'

/** What a script may count on (core/remote.ts): params as p_NAME, rt_set and rt_fail. */
const provided = 'rt_set() { :; }; rt_fail() { exit 99; }; rt_shell=/bin/sh'
const shells = [
  ['dash', '-n'],
  ['busybox', 'sh', '-n'],
  ['bash', '--posix', '-n'],
]

/** The literals of a file: their text as a target sees it and the line they begin at. */
export function scriptsOf(source) {
  return [...source.matchAll(/(?<![\w/`])sh`((?:[^`\\]|\\[\s\S])*)`/g)].map(match => ({
    line: source.slice(0, match.index).split('\n').length,
    text: match[1].replaceAll('\\${', '${').replaceAll('\\`', '`'),
  }))
}

function tryRun(command, args, input) {
  const done = spawnSync(command, args, { input, encoding: 'utf8' })
  if (done.error?.code !== 'ENOENT') return done
  if (process.env.CI) throw new Error(`${command} is missing`)
  console.log(`check: skipped ${command}: it is not installed`)
  return { status: 0, stdout: '', stderr: '' }
}

function lintOne(file, { line, text }, isJoined) {
  const params = [...new Set([...text.matchAll(/\bp_\w+/g)].map(m => m[0]))].map(
    name => `${name}=\${${name}-x}`,
  )
  // The padding keeps shellcheck's line numbers those of the TypeScript file.
  const head = `# shellcheck disable=SC2034,SC2317,SC2329${isJoined ? ',SC2154' : ''}${'\n'.repeat(Math.max(1, line - 1))}${provided}; ${params.join('; ')}${params.length > 0 ? '; ' : ''}`
  const checked = tryRun('shellcheck', ['-s', 'sh', '-f', 'gcc', '-'], head + text)
  const found =
    checked.status === 0
      ? []
      : checked.stdout
          .trim()
          .split('\n')
          .map(row => row.replace(/^-/, file))
  for (const [shell, ...args] of shells) {
    const parsed = tryRun(shell, args, text)
    if (parsed.status !== 0) found.push(`${file}:${line}: ${shell} cannot parse: ${parsed.stderr.trim()}`)
  }
  return found
}

export function lintScripts() {
  const src = join(root, 'src')
  return readdirSync(src, { recursive: true })
    .filter(name => name.endsWith('.ts'))
    .flatMap(name => {
      const path = join(src, name)
      const source = readFileSync(path, 'utf8')
      // A part of a joined script may use what another part, perhaps of another file, has set.
      const isJoined = source.includes('joinScripts(')
      return scriptsOf(source).flatMap(script => lintOne(relative(root, path), script, isJoined))
    })
}
