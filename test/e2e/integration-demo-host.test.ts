import { describe } from 'vitest'
import { playIntegrationScenes } from './integration-scenes.ts'
import { openDemoStage } from './stage.ts'

describe('on the demo host', () => playIntegrationScenes(openDemoStage, true))
