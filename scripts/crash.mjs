// `npm run crash`: the crash proof. Strikes a rotation at every point that it passes, recovers, and looks.
//   npm run crash                     thousands of trials over a simulated fleet, and a table
//   npm run crash -- --trials N|all   as many
//   npm run crash -- --mutants [N]    each safety rule broken once: the trials have to find every one
//   npm run crash -- --real N         trials with the built program on a real host (root on Debian; makes the lab)
// Exit 0: everything was whole, or every mutant was found. Exit 1: not.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { build as buildProgram, installDependencies, root } from './setup.mjs'

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    trials: { type: 'string', default: '12000' },
    real: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
process.chdir(root)
installDependencies()
mkdirSync('.rota', { recursive: true })

/** Bundles a file of test/crash with the source as it is, or with one place of it changed. */
async function bundle(name, out, mutant) {
  let isChanged = mutant === undefined
  const patch = {
    name: 'mutant',
    setup(step) {
      if (mutant === undefined) return
      step.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
        if (path !== join(root, mutant.file)) return undefined
        const parts = readFileSync(path, 'utf8').split(mutant.from)
        if (parts.length !== 2)
          throw new Error(`${mutant.file} has ${parts.length - 1} times: ${mutant.from}`)
        isChanged = true
        return { contents: parts.join(mutant.to), loader: 'ts' }
      })
    },
  }
  await build({
    entryPoints: [join('test/crash', name)],
    outfile: out,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.20',
    logLevel: 'warning',
    plugins: [patch],
  })
  if (!isChanged) throw new Error(`${mutant.file} is not part of the harness`)
  return out
}

function play(program, args, stdio = 'inherit') {
  return spawnSync(process.execPath, [program, ...args], { cwd: root, stdio, encoding: 'utf8' })
}

async function playMutants() {
  const { mutants } = await import(join(root, await bundle('mutants.ts', '.rota/mutants.mjs')))
  const chosen = mutants.filter(({ rule }) => !values.only || rule.includes(values.only))
  let survivors = 0
  for (const mutant of chosen) {
    const program = await bundle('main.ts', `.rota/crash-mutant-${process.pid}.mjs`, mutant)
    const { status, stdout, stderr } = play(program, ['--first', '--trials', values.trials], 'pipe')
    rmSync(program)
    const found = stdout.split('\n').find(line => line.startsWith('NOT WHOLE'))
    // A crash of the harness itself finds nothing.
    const isKilled = status === 1 && found !== undefined
    if (!isKilled) survivors++
    console.log(
      `${isKilled ? 'found   ' : 'SURVIVED'} ${mutant.rule}\n           ${found ?? (stderr || stdout).trim().slice(-400)}`,
    )
  }
  console.log(`${chosen.length - survivors} of ${chosen.length} mutants found`)
  return survivors === 0 ? 0 : 1
}

if (values.mutants) process.exitCode = await playMutants()
else if (values.real) {
  buildProgram()
  process.exitCode = play(await bundle('real/main.ts', '.rota/crash-real.mjs'), [
    '--trials',
    values.real,
  ]).status
} else {
  const trials = values.trials === 'all' ? '1000000' : values.trials
  const program = await bundle('main.ts', `.rota/crash-${process.pid}.mjs`)
  process.exitCode = play(program, ['--trials', trials]).status
  rmSync(program)
}
