// A production rotation and all that may go wrong with it, on a host without containers, psql or another user to become.
import { describe } from 'vitest'
import { playScenes } from './scenes.ts'
import { openDemoStage } from './stage.ts'

describe('on the demo host', () => playScenes(openDemoStage, false))
