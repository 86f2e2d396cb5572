import BoardControl
import Glibc

/// A Raspberry Pi 4B with known truth: power states, transitions, temperature and the supply up to the meter.
///
/// It lives in simulated time: `advance(to:)` decides everything before that moment; changes (load, lines, faults) happen
/// at the moment advanced to and never reach back. Not shared between threads; the world that owns it is.
package struct VirtualPi: Sendable {
    package let truth: BoardTruth
    package internal(set) var state: PowerState
    /// What the running system does; ignored in the other states.
    package internal(set) var load = BoardLoad.idle
    package internal(set) var trace: PowerTrace
    /// Every change of state so far.
    package internal(set) var transitions: [PowerTransition] = []
    /// When the running kernel started: zero of the board's CLOCK_MONOTONIC. The first one started before the bench.
    package internal(set) var kernelStartedAt: Int64
    /// Counts kernels started.
    package internal(set) var boots = 1

    // transitions
    var stages: [TransitionStage] = []
    var stateAfterStages = PowerState.running
    var kernelStartsAt: Int64?
    var shutdownDue: Int64?
    var lineAsserted: Set<LineRole> = []
    var globalEnableFellAt: Int64?
    var shutdownEndedAt: Int64?
    var latched = false
    var hung = false
    var wakeFaults: [WakeFault] = []
    var latency: SeededGenerator

    // electrical state of the open cell
    private var noise: SeededGenerator
    private var fastNoise = 0.0
    private var slowNoise = 0.0
    private var supplyWander = 0.0
    private var socRise: Double
    private var caseRise: Double
    private var laggedWatts: Double
    private var cellTarget = 0.0
    private var cellBegin: Int64
    private var gridEnd: Int64
    private var drive = Drive()
    private let decay: Decay
    package internal(set) var sourceOffsetVolts = 0.0
    package internal(set) var throttleForced = false
    private var throttling = false
    var throttledBits: UInt32 = 0

    /// Length of a cell, ns: the finest structure of the world.
    package static let cellNanoseconds: Int64 = 1_000_000

    /// What the present state draws, apart from temperature and noise.
    private struct Drive: Sendable {
        var steadyWatts = 0.0
        var lambda = 0.0
        var noiseScale = 0.0
        var sleepNoise = 0.0
        var connected = true
    }

    /// Factors of one whole cell, worked out once.
    private struct Decay: Sendable {
        var lag: Double
        var fast: Double
        var slow: Double
        var wander: Double
        var soc: Double
        var casing: Double
    }

    package init(truth: BoardTruth, seed: UInt64, beginning: Int64, state: PowerState = .running) {
        self.truth = truth
        self.state = state
        trace = PowerTrace(beginning: beginning)
        noise = SeededGenerator(seed: seed, purpose: "board noise \(truth.name)")
        latency = SeededGenerator(seed: seed, purpose: "board latency \(truth.name)")
        kernelStartedAt = beginning - nanoseconds(latency.uniform(600, 90_000))
        cellBegin = beginning
        gridEnd = beginning + Self.cellNanoseconds
        let cell = Double(Self.cellNanoseconds) * 1e-9
        decay = Decay(
            lag: exp(-cell / truth.timing.supplyLagSeconds), fast: exp(-cell / truth.variation.fastSeconds),
            slow: exp(-cell / truth.variation.slowSeconds), wander: exp(-cell / truth.supply.wanderSeconds),
            soc: exp(-cell / truth.thermal.socSeconds), casing: exp(-cell / truth.thermal.caseSeconds))
        socRise = 0
        caseRise = 0
        laggedWatts = 0
        recomputeDrive()
        settle()
        openCell()
    }

    /// SoC temperature now, °C.
    package var socCelsius: Double { truth.thermal.ambientCelsius + socRise + caseRise }

    /// Clock the cores really run at, MHz: the governor's choice unless the firmware lowers it.
    package var effectiveMegahertz: Int {
        throttling || throttleForced ? min(load.megahertz, truth.thermal.throttleMegahertz) : load.megahertz
    }

    /// Bits as `vcgencmd get_throttled` gives them.
    package var throttledWord: UInt32 { throttledBits }

    /// Next moment at which something happens here by itself; nil if nothing will.
    package var nextEvent: Int64? {
        var next = stages.first?.until
        if let k = kernelStartsAt { next = min(next ?? k, k) }
        if let d = shutdownDue { next = min(next ?? d, d) }
        return next
    }

    /// Decides everything before `time`.
    package mutating func advance(to time: Int64) {
        while let event = nextEvent, event <= time {
            extend(to: event)
            fire(at: event)
        }
        extend(to: time)
    }

    /// The node's load from `time` on (at or after the time advanced to).
    package mutating func setLoad(_ newLoad: BoardLoad, at time: Int64) {
        advance(to: time)
        load = newLoad
        if state == .running { driveChanged(at: time) }
    }

    /// Moves the source voltage by so much (a sagging supply).
    package mutating func setSourceOffset(_ volts: Double, at time: Int64) {
        advance(to: time)
        sourceOffsetVolts = volts
        driveChanged(at: time)
    }

    /// Firmware throttling on or off, whatever the temperature.
    package mutating func forceThrottle(_ on: Bool, at time: Int64) {
        advance(to: time)
        throttleForced = on
        driveChanged(at: time)
    }

    // MARK: electrical plane

    private mutating func extend(to time: Int64) {
        while gridEnd <= time {
            closeCell(at: gridEnd)
            gridEnd += Self.cellNanoseconds
            drawNoise()
            updateThrottling()
            openCell()
        }
        trace.extendKnowledge(to: time)
    }

    /// Something changed at `time`: the open cell ends here and a new one begins with the same noise.
    mutating func driveChanged(at time: Int64) {
        if time > cellBegin { closeCell(at: time) }
        recomputeDrive()
        openCell()
        trace.extendKnowledge(to: time)
    }

    private mutating func drawNoise() {
        let v = truth.variation
        fastNoise = decay.fast * fastNoise + (1 - decay.fast * decay.fast).squareRoot() * noise.normal()
        slowNoise = decay.slow * slowNoise + (1 - decay.slow * decay.slow).squareRoot() * v.slowWatts * noise.normal()
        supplyWander =
            decay.wander * supplyWander
            + (1 - decay.wander * decay.wander).squareRoot() * truth.supply.wanderVolts * noise.normal()
    }

    private mutating func updateThrottling() {
        let t = socCelsius
        if throttling ? t < truth.thermal.throttleCelsius - 3 : t >= truth.thermal.throttleCelsius {
            throttling.toggle()
            recomputeDrive()
        }
    }

    private mutating func closeCell(at end: Int64) {
        let dt = end - cellBegin
        guard dt > 0 else { return }
        let whole = dt == Self.cellNanoseconds
        let seconds = Double(dt) * 1e-9
        let watts = trace.cells.last?.boardWatts ?? 0
        let lag = whole ? decay.lag : exp(-seconds / truth.timing.supplyLagSeconds)
        laggedWatts = cellTarget + (laggedWatts - cellTarget) * lag
        let soc = whole ? decay.soc : exp(-seconds / truth.thermal.socSeconds)
        let casing = whole ? decay.casing : exp(-seconds / truth.thermal.caseSeconds)
        socRise = truth.thermal.socCelsiusPerWatt * watts * (1 - soc) + socRise * soc
        caseRise = truth.thermal.caseCelsiusPerWatt * watts * (1 - casing) + caseRise * casing
        cellBegin = end
    }

    private mutating func openCell() {
        let source = truth.supply.sourceVolts + supplyWander + sourceOffsetVolts
        guard drive.connected else {
            cellTarget = 0
            laggedWatts = 0
            trace.open(at: cellBegin, volts: source, amps: 0, boardWatts: 0)
            return
        }
        let variation =
            drive.sleepNoise > 0
            ? drive.sleepNoise * fastNoise
            : drive.noiseScale * (truth.variation.fastWatts * fastNoise + slowNoise)
        cellTarget = max(0, drive.steadyWatts + drive.lambda * (socCelsius - 50) + variation)
        let dt = gridEnd - cellBegin
        let tau = truth.timing.supplyLagSeconds
        let seconds = Double(dt) * 1e-9
        let lag = dt == Self.cellNanoseconds ? decay.lag : exp(-seconds / tau)
        let watts = cellTarget + (laggedWatts - cellTarget) * tau / seconds * (1 - lag)
        let ohms = truth.supply.sourceOhms + truth.supply.cableOhms
        let root = max(0, source * source - 4 * ohms * watts).squareRoot()
        let amps = (source - root) / (2 * ohms)
        let meterVolts = source - truth.supply.sourceOhms * amps
        let boardVolts = meterVolts - truth.supply.cableOhms * amps
        noteFlags(boardVolts: boardVolts)
        trace.open(at: cellBegin, volts: meterVolts, amps: amps, boardWatts: boardVolts * amps)
    }

    private mutating func noteFlags(boardVolts: Double) {
        var now: UInt32 = 0
        if boardVolts < 4.63 { now |= 0x1 }
        if throttling || throttleForced { now |= 0x6 }
        throttledBits = (throttledBits & 0xFFFF_0000) | now | (now << 16)
    }

    private mutating func recomputeDrive() {
        drive = Drive()
        let sleep = truth.sleep
        let warm = truth.thermal.ambientCelsius - 25
        switch state {
        case .cut: drive.connected = false
        case .held: (drive.steadyWatts, drive.sleepNoise) = (sleep.heldWatts, truth.variation.sleepWatts)
        case .off:
            drive.steadyWatts = sleep.offWatts + sleep.offWattsPerCelsius * warm
            drive.sleepNoise = truth.variation.sleepWatts
        case .halt:
            drive.steadyWatts = sleep.haltWatts + sleep.haltWattsPerCelsius * warm
            drive.sleepNoise = truth.variation.sleepWatts
        case .shuttingDown, .booting:
            switch stages.first?.drive {
            case .load(let stageLoad): drive(stageLoad)
            case .watts(let watts): (drive.steadyWatts, drive.noiseScale) = (watts, 1.5)
            case nil: drive(.busy(cores: 1))
            }
        case .running: drive(load)
        }
    }

    private mutating func drive(_ wanted: BoardLoad) {
        var actual = wanted
        if throttling || throttleForced { actual.megahertz = min(wanted.megahertz, truth.thermal.throttleMegahertz) }
        let dynamic = truth.power.dynamicWatts(of: actual)
        drive.steadyWatts = truth.power.p50Watts + truth.power.interceptShiftWatts + dynamic
        drive.lambda = truth.power.lambdaWattsPerCelsius
        drive.noiseScale = 1 + truth.variation.perDynamicWatt * dynamic
    }

    /// Puts temperature and supply lag where a long stay in the present state would have brought them.
    private mutating func settle() {
        var watts = drive.connected ? drive.steadyWatts : 0
        for _ in 0..<40 {
            socRise = truth.thermal.socCelsiusPerWatt * watts
            caseRise = truth.thermal.caseCelsiusPerWatt * watts
            if drive.connected { watts = drive.steadyWatts + drive.lambda * (socCelsius - 50) }
        }
        laggedWatts = watts
    }
}

extension BoardTruth.PowerModel {
    /// The dynamic part of the model, W at the board plane.
    package func dynamicWatts(of load: BoardLoad) -> Double {
        let volts = coreVoltage(megahertz: load.megahertz)
        let perCore = load.mix == .training ? cCoreTrain : cCore
        let core =
            volts * volts * Double(load.megahertz) * 1e-3
            * (kClk + cUnc * min(1, load.utilisation) + perCore * load.utilisation)
        let network =
            eTxWattsPerMbitPerSecond * load.sendMbitPerSecond + eRxWattsPerMbitPerSecond * load.receiveMbitPerSecond
        return dynamicGain * (core + network)
    }

    /// The whole model at a load and a SoC temperature, W at the board plane.
    package func watts(of load: BoardLoad, socCelsius: Double) -> Double {
        p50Watts + interceptShiftWatts + lambdaWattsPerCelsius * (socCelsius - 50) + dynamicWatts(of: load)
    }
}
