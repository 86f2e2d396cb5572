import Quantities
package import Timebase
package import Traces

/// Energy of phases from one meter's readings: gap-honest integral on the meter's own clock, calibrated, with the
/// uncertainty budget of calibration.md 2.3.
///
///     let meter = MeterEnergy(trace, clock: fit, correction: certificate, changes: phaseEdges)
///     let energies = meter.energy(of: phases, idle: nil)
///
/// Cost: one pass over the samples when built (`CumulativeReadings`), a few microseconds per phase.
package struct MeterEnergy: Sendable {
    package struct Settings: Sendable, Equatable {
        /// Limit of the error of a border on the meter's clock, s, rectangular: 1 ms with a sync pattern, 5 ms without.
        package var borderLimitSeconds = 1e-3
        /// Standard uncertainty of the tick after the clock fit, and of the host clock against SI, relative.
        package var tickUncertainty = 2e-6
        /// Which power a border error moves: all of it, or only the step there (when the alignment is common).
        package var borderModel = BorderModel.wholePower
        /// Share of missing samples above which they are flagged, and above which the phase is refused.
        package var flagMissing = 0.001
        package var refuseMissing = 0.05
        /// A single gap above this share of the phase refuses it.
        package var refuseGapShare = 0.10
        /// Time from V to I conversion, s: an edge is seen half by one, half by the other.
        package var skewSeconds = 1e-3
        /// Reason of an operator who wants refused phases computed all the same.
        package var overrideReason: String?
        package var screen = SampleScreen.Settings()
        package init() {}
    }

    /// How the border term is formed.
    package enum BorderModel: Sendable, Equatable {
        /// P at the border times u: what a free error of one border costs. The default of calibration.md 2.3.
        case wholePower
        /// Alignment known to `sync` seconds (k = 1) for all borders alike, and one conversion's scatter per border that
        /// moves only the power step.
        case aligned(sync: Double)
    }

    package let clock: ClockFit
    package let correction: MeterCorrection
    package let settings: Settings
    package let screen: SampleScreen
    package let readings: CumulativeReadings
    /// SI seconds per tick.
    package let secondsPerTick: Double
    private let deviations: GapDeviation

    /// - Parameters:
    ///   - trace: raw readings of one epoch.
    ///   - clock: from this meter's clock to the clock that the phases are on.
    ///   - changes: times on the phases' clock, ns, at which the power is known to change; gaps are filled by steps
    ///     there. Normally all phase edges.
    package init(
        _ trace: MeterTrace, clock: ClockFit, correction: MeterCorrection, changes: [Int64] = [],
        settings: Settings = Settings()
    ) {
        self.init(
            trace, clock: clock, correction: correction,
            changeTicks: changes.map { Self.tick(clock.source(atTarget: $0)) }, settings: settings)
    }

    /// The same with the known changes, and the borders of repeating cycles of work, in ticks of the meter.
    package init(
        _ trace: MeterTrace, clock: ClockFit, correction: MeterCorrection, changeTicks: [Double],
        cycles: [(begin: Double, end: Double)] = [], settings: Settings = Settings()
    ) {
        var cleaned = trace
        let screen = SampleScreen.clean(&cleaned, settings: settings.screen)
        self.init(
            screened: cleaned, screen, clock: clock, correction: correction, changeTicks: changeTicks, cycles: cycles,
            settings: settings)
    }

    /// The same for a trace that has been screened already.
    package init(
        screened cleaned: MeterTrace, _ screen: SampleScreen, clock: ClockFit, correction: MeterCorrection,
        changeTicks: [Double], cycles: [(begin: Double, end: Double)] = [], settings: Settings = Settings()
    ) {
        self.screen = screen
        self.clock = clock
        self.correction = correction
        self.settings = settings
        let changes = changeTicks.sorted()
        let profile = cycles.isEmpty ? nil : CycleProfile(cleaned, cycles: cycles)
        readings = CumulativeReadings(cleaned, changes: changes, profile: profile)
        secondsPerTick = Double(MeterTrace.tickNanoseconds) * 1e-9 * (1 + clock.meanRateErrorPPM * 1e-6)
        deviations = GapDeviation(cleaned, fills: readings.fills, changes: changes, profile: profile)
    }

    private static func tick(_ nanoseconds: Int64) -> Double {
        Double(nanoseconds) / Double(MeterTrace.tickNanoseconds)
    }

    /// Energy of an integral in J, corrected: Σ (V − oV)(I − oI) / (gV gI).
    package func joules(_ integral: CumulativeReadings.Integral) -> Double {
        let (v, i) = (correction.voltage, correction.current)
        let raw =
            integral.product * 1e-12 - v.offset * integral.amperes * 1e-6 - i.offset * integral.volts * 1e-6
            + v.offset * i.offset * integral.ticks
        return raw / (v.gain * i.gain) * secondsPerTick
    }

    /// Cumulative energy, J, from the first sample to a time on the phases' clock, ns.
    package func cumulativeJoules(atTarget time: Int64) -> Double {
        joules(readings.integral(until: Self.tick(clock.source(atTarget: time))))
    }

    /// Corrected power around a time on the meter's clock, W: mean of `width` ticks before or after.
    package func meanWatts(fromTick a: Double, untilTick b: Double) -> Double {
        let integral = readings.integral(from: a, until: b)
        return integral.ticks > 0 ? joules(integral) / (integral.ticks * secondsPerTick) : 0
    }

    package func energy(of phases: [Phase], idle: IdlePower? = nil) -> [PhaseEnergy] {
        phases.map { energy(of: $0, idle: idle) }
    }

    /// Everything from the first to the last sample.
    package func totalEnergy() -> PhaseEnergy? {
        guard let first = readings.trace.firstTick, let last = readings.trace.lastTick, last > first else { return nil }
        let phase = Phase(
            node: "", kind: "total",
            beginNanoseconds: clock.target(atSource: first * MeterTrace.tickNanoseconds),
            endNanoseconds: clock.target(atSource: last * MeterTrace.tickNanoseconds))
        return energy(of: phase, fromTick: Double(first), untilTick: Double(last), idle: nil)
    }

    package func energy(of phase: Phase, idle: IdlePower? = nil) -> PhaseEnergy {
        energy(
            of: phase, fromTick: Self.tick(clock.source(atTarget: phase.beginNanoseconds)),
            untilTick: Self.tick(clock.source(atTarget: phase.endNanoseconds)), idle: idle)
    }

    /// - Parameters a, b: the phase's borders in ticks of the meter, fractions allowed.
    package func energy(of phase: Phase, fromTick a: Double, untilTick b: Double, idle: IdlePower?) -> PhaseEnergy {
        let integral = readings.integral(from: a, until: b)
        let seconds = max(0, b - a) * secondsPerTick
        let joules = joules(integral)
        let gaps = GapSummary(readings, from: a, until: b)
        let rejected = screen.rejected.count { index in
            let tick = Double(readings.trace.tick(ofSample: index))
            return tick >= a && tick < b
        }
        let budget = budget(integral, joules: joules, from: a, until: b, gaps: gaps, rejected: rejected)
        let due = max(b - a, 0) / Double(readings.trace.ticksPerSample)
        let outside = max(0, (b - a) - integral.ticks) / Double(readings.trace.ticksPerSample)
        let coverage = due > 0 ? max(0, 1 - (gaps.missing + outside) / due) : 0
        var result = PhaseEnergy(
            phase: phase, gross: Quantity(joules, u: budget.standardUncertainty), budget: budget, net: nil,
            netBudget: nil, durationSeconds: seconds, coverage: coverage,
            longestGapSeconds: gaps.longestTicks * secondsPerTick, missing: Int(gaps.missing.rounded()),
            rejected: rejected, flags: [], verdict: .usable)
        judge(&result, from: a, until: b, gaps: gaps)
        if let idle {
            let net = budget + idle.budget.scaled(by: -seconds)
            result.netBudget = net
            result.net = Quantity(joules - idle.watts * seconds, u: net.standardUncertainty)
        }
        return result
    }

    private func judge(_ result: inout PhaseEnergy, from a: Double, until b: Double, gaps: GapSummary) {
        let trace = readings.trace
        let missing = 1 - result.coverage
        var refusal: String?
        if missing > settings.flagMissing { result.flags.insert(.interpolated) }
        if gaps.borderInGap { result.flags.insert(.borderInGap) }
        let outside = a < Double(trace.firstTick ?? 0) - 1 || b > Double(trace.lastTick ?? 0) + 1
        if outside { result.flags.insert(.outsideTrace) }
        if missing > settings.refuseMissing || gaps.longestTicks > settings.refuseGapShare * (b - a) {
            result.flags.insert(.largeGaps)
        }
        if missing > settings.refuseMissing {
            refusal = "\(percent(missing)) of its samples are missing, more than \(percent(settings.refuseMissing))"
        } else if gaps.longestTicks > settings.refuseGapShare * (b - a) {
            refusal = "one gap covers \(percent(gaps.longestTicks / (b - a))) of it"
        } else if gaps.borderInUnknownGap {
            refusal = "one of its borders lies in a gap"
        }
        if clock.bound(atSource: Int64(a * 1e6)) > clock.boundNanoseconds
            || clock.bound(atSource: Int64(b * 1e6)) > clock.boundNanoseconds
        {
            result.flags.insert(.clockExtrapolated)
        }
        if clock.isAmbiguous(target: result.phase.beginNanoseconds)
            || clock.isAmbiguous(target: result.phase.endNanoseconds)
        {
            result.flags.insert(.clockStep)
            refusal = refusal ?? "one of its borders lies where the host clock was put back"
        }
        if correction.certificate == nil { result.flags.insert(.uncalibrated) }
        if result.rejected > 0 { result.flags.insert(.rejectedReadings) }
        if screen.implausible > 0 { result.flags.insert(.implausibleReadings) }
        guard let refusal else { return }
        if settings.overrideReason == nil {
            result.verdict = .refused(refusal)
        } else {
            result.flags.insert(.overridden)
        }
    }

    private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }

    private func budget(
        _ integral: CumulativeReadings.Integral, joules: Double, from a: Double, until b: Double, gaps: GapSummary,
        rejected: Int
    ) -> EnergyBudget {
        let (v, i) = (correction.voltage, correction.current)
        let seconds = integral.ticks * secondsPerTick
        // ∂E/∂oV = −∫I dt, ∂E/∂oI = −∫V dt, ∂E/∂g = −E/g.
        let charge = integral.amperes * 1e-6 * secondsPerTick - i.offset * seconds
        let flux = integral.volts * 1e-6 * secondsPerTick - v.offset * seconds
        func own(_ channel: ChannelCorrection) -> Double {
            let square = channel.gainUncertainty * channel.gainUncertainty
            return max(0, square - channel.referenceGainUncertainty * channel.referenceGainUncertainty).squareRoot()
        }
        let temperature = correction.temperatureCoefficient * correction.temperatureDifference / 3.0.squareRoot()
        var terms: [EnergyBudget.Term] = [
            .init(.gainVoltage, .meter, joules: -joules * own(v) / v.gain),
            .init(.gainCurrent, .meter, joules: -joules * own(i) / i.gain),
            .init(.offsetVoltage, .meter, joules: -charge * v.offsetUncertainty / v.gain),
            .init(.offsetCurrent, .meter, joules: -flux * i.offsetUncertainty / i.gain),
            .init(.temperatureVoltage, .meter, joules: joules * temperature),
            .init(.temperatureCurrent, .meter, joules: joules * temperature),
            .init(.tick, .meter, joules: joules * settings.tickUncertainty),
        ]
        if v.referenceGainUncertainty > 0 {
            terms.append(.init(.referenceVoltage, .reference, joules: -joules * v.referenceGainUncertainty))
        }
        if i.referenceGainUncertainty > 0 {
            terms.append(.init(.referenceCurrent, .reference, joules: -joules * i.referenceGainUncertainty))
        }
        if seconds > 0 {
            let effective = max(
                1, correction.effectiveSampleRatio * integral.ticks / Double(readings.trace.ticksPerSample))
            let scale = 1 / effective.squareRoot()
            let noiseV = charge * correction.noiseVolts * scale
            let noiseI = flux * correction.noiseAmperes * scale
            terms.append(.init(.noise, .none, joules: (noiseV * noiseV + noiseI * noiseI).squareRoot()))
        }
        terms += borderTerms(at: a, sign: -1) + borderTerms(at: b, sign: 1)
        terms += deviations.terms(
            readings, from: a, until: b, joulesPerProductTick: secondsPerTick * 1e-12 / (v.gain * i.gain))
        if rejected > 0 {
            // A replaced reading misses what happened in one tick: take a tenth of the mean power for it.
            let each = 0.1 * abs(joules) / max(integral.ticks, 1)
            terms.append(.init(.rejected, .none, joules: each * Double(rejected).squareRoot()))
        }
        return EnergyBudget(
            terms: terms, voltageCorrelation: v.correlation, currentCorrelation: i.correlation)
    }

    /// Terms of one border; the sign is that of the energy when the border moves later.
    private func borderTerms(at tick: Double, sign: Double) -> [EnergyBudget.Term] {
        let before = meanWatts(fromTick: tick - 12, untilTick: tick - 2)
        let after = meanWatts(fromTick: tick + 2, untilTick: tick + 12)
        let key = EnergyBudget.Sharing.border(Int64((tick * Double(MeterTrace.tickNanoseconds)).rounded()))
        let step = abs(after - before)
        // The same for both phases that share the border, so that it drops out of their sum.
        let power = ((before * before + after * after) / 2).squareRoot()
        var terms: [EnergyBudget.Term] = []
        switch settings.borderModel {
        case .wholePower:
            terms.append(.init(.border, key, joules: sign * power * settings.borderLimitSeconds / 3.0.squareRoot()))
        case .aligned(let sync):
            // One conversion period seen from a random phase: rectangular over 2.1 ms.
            let scatter = step * 2.104e-3 / 12.0.squareRoot()
            let common = power * sync
            terms.append(.init(.border, key, joules: sign * (scatter * scatter + common * common).squareRoot()))
        }
        // V and I see the edge 1 ms apart: ΔV·ΔI·skew, small against the border.
        if step > 0.1 {
            let deltaI = step / 5
            terms.append(.init(.skew, .none, joules: 0.1 * deltaI * deltaI * settings.skewSeconds))
        }
        return terms
    }
}
