import Glibc
import MeterProtocol

// The converter behind the samples (protocol reference 8.4): V and I conversions take turns, free-running against the
// sample timer; each is the mean of the true signal over its window, plus noise, on the converter's steps.
extension EmulatedMeter {
    /// Steps of the readings at 1 kHz, µV and µA; current sits on a 16 µA grid besides.
    static let fastVoltStep = 195.3125
    static let fastAmpStep = 62.5
    static let fastAmpGrid = 16.0
    static let slowVoltStep = 19.53125
    static let slowAmpStep = 4.0

    /// Noise of a sample at the slow rates, V and A, relative to the 1 kHz noise (captures at 2/s and 50/s; 10/s between).
    private static let slowVoltNoise = [0.047, 0.08, 0.12]
    private static let slowAmpNoise = [0.057, 0.07, 0.087]

    mutating func startGraph(rate: Int, at time: Int64, signal: PowerTrace) {
        clearRing()
        rateIndex = rate
        nextTick = uptime(at: time) + Self.periods[rate]
        block = Block(averageMicrovolts: block.averageMicrovolts, averageMicroamperes: block.averageMicroamperes)
        // The converter never stopped: begin with the conversions that ended just before now.
        let since = Double(max(time - conversionOrigin, 0)) / conversionNanoseconds
        nextConversion = max(0, Int64(since.rounded(.down)) - 3)
    }

    private var conversionNanoseconds: Double { truth.conversionSeconds * 1e9 / (1 + truth.clockPPM * 1e-6) }

    private func conversionBegin(_ index: Int64) -> Int64 {
        conversionOrigin + Int64((Double(index) * conversionNanoseconds).rounded())
    }

    /// Makes every sample whose tick is at or before `time`.
    mutating func generate(to time: Int64, signal: PowerTrace) {
        guard let rate = rateIndex else { return }
        let last = uptime(at: min(time, signal.knownUntil))
        while nextTick <= last {
            let tick = self.time(ofUptime: nextTick)
            if rate == 3 {
                convert(until: tick, signal: signal)
            } else {
                average(rate: rate, at: tick, signal: signal)
            }
            push(tick: tick, rate: rate)
            nextTick += Self.periods[rate]
        }
    }

    private mutating func convert(until tick: Int64, signal: PowerTrace) {
        while true {
            let end = conversionBegin(nextConversion + 1)
            guard end <= tick else { return }
            let begin = conversionBegin(nextConversion)
            if nextConversion & 1 == 0 {
                if let volts = signal.mean(.volts, from: begin, to: end) {
                    held.volts = volts
                    held.microvolts = voltReading(volts, noise: truth.voltsNoise, step: Self.fastVoltStep)
                }
            } else if let amps = signal.mean(.amps, from: begin, to: end) {
                held.amps = amps
                let steps = ampReading(amps, noise: truth.ampsNoise, step: Self.fastAmpStep)
                held.microamperes = Int32((Double(steps) / Self.fastAmpGrid).rounded() * Self.fastAmpGrid)
            }
            nextConversion += 1
        }
    }

    /// At the slow rates the firmware averages the converter over the sample's period.
    private mutating func average(rate: Int, at tick: Int64, signal: PowerTrace) {
        let from = max(signal.oldest, self.time(ofUptime: nextTick - Self.periods[rate]))
        if let volts = signal.mean(.volts, from: from, to: tick), let amps = signal.mean(.amps, from: from, to: tick) {
            held.volts = volts
            held.amps = amps
            held.microvolts = voltReading(
                volts, noise: truth.voltsNoise * Self.slowVoltNoise[rate], step: Self.slowVoltStep)
            held.microamperes = Int32(
                ampReading(amps, noise: truth.ampsNoise * Self.slowAmpNoise[rate], step: Self.slowAmpStep))
        }
    }

    private mutating func voltReading(_ volts: Double, noise sigma: Double, step: Double) -> Int32 {
        let reading = truth.voltsOffset + truth.voltsGain * volts + sigma * noise.normal()
        return Int32(((reading * 1e6 / step).rounded() * step).rounded())
    }

    private mutating func ampReading(_ amps: Double, noise sigma: Double, step: Double) -> Int64 {
        let reading = truth.ampsOffset + truth.ampsGain * truth.currentSign * amps + sigma * noise.normal()
        return Int64(((reading * 1e6 / step).rounded() * step).rounded())
    }

    private mutating func push(tick: Int64, rate: Int) {
        // CC and D lines of an idle cable as captured; 0.1 mV at rate index 0, 1 mV otherwise.
        let scale: UInt16 = rate == 0 ? 10 : 1
        let sample = QueueSample(
            uptimeMilliseconds: UInt32(truncatingIfNeeded: nextTick), vbusMicrovolts: held.microvolts,
            ibusMicroamperes: held.microamperes, cc1: 67 * scale, cc2: 3235 * scale, dPlus: 0, dMinus: 0)
        let truth = SampleTruth(
            uptimeMilliseconds: nextTick, atNanoseconds: tick, volts: held.volts, amps: held.amps,
            vbusMicrovolts: held.microvolts, ibusMicroamperes: held.microamperes, fate: .cleared)
        counts.generated += 1
        if let lost = ring.push(SampleRing.Entry(sample: sample, truth: truth)) {
            settle(CollectionOfOne(lost), as: .overwritten)
        }
        block.count += 1
        block.volts += Int64(held.microvolts)
        block.amps += Int64(held.microamperes)
        if Int64(block.count) * Self.periods[rate] >= 1000 {
            block.averageMicrovolts = Int32(block.volts / Int64(block.count))
            block.averageMicroamperes = Int32(block.amps / Int64(block.count))
            block.count = 0
            block.volts = 0
            block.amps = 0
        }
    }

    /// Without a graph the ADC values are renewed every 500 ms of uptime, the averages every second one.
    mutating func refreshIdle(at time: Int64, signal: PowerTrace) {
        let grid = uptime(at: time) / 500
        guard rateIndex == nil, grid != idleGrid else { return }
        idleGrid = grid
        let end = min(self.time(ofUptime: grid * 500), time)
        for (length, isAverage) in [(Int64(500), false), (1000, true)] {
            let from = max(signal.oldest, end - length * 1_000_000)
            guard let volts = signal.mean(.volts, from: from, to: end),
                let amps = signal.mean(.amps, from: from, to: end)
            else { continue }
            let microvolts = voltReading(
                volts, noise: truth.voltsNoise * Self.slowVoltNoise[0], step: Self.slowVoltStep)
            let microamperes = Int32(
                ampReading(amps, noise: truth.ampsNoise * Self.slowAmpNoise[0], step: Self.slowAmpStep))
            if isAverage {
                guard grid & 1 == 0 || block.averageMicrovolts == 0 else { continue }
                block.averageMicrovolts = microvolts
                block.averageMicroamperes = microamperes
            } else {
                held = Held(volts: volts, amps: amps, microvolts: microvolts, microamperes: microamperes)
            }
        }
    }
}
