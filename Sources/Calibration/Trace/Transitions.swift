import Metrology
import Timebase

/// Shutdown and wake as the trace shows them (calibration.md 3.6).
struct Transitions {
    var summary = TraceSummary.Transition()
    var remarks: [String] = []

    init(_ events: BoardEvents, _ meter: MeterEnergy, _ board: BoardAlignment) {
        let trace = meter.readings.trace
        guard let end = trace.lastTick, let command = events.last("shutdown_cmd").map(board.tick) else { return }
        let pulse = events.last("wake_pulse").map(board.tick).flatMap { $0 > command ? $0 : nil }
        let window = PowerWindow(meter, from: command, until: min(pulse ?? Double(end), Double(end)))
        guard
            let edge = ShutdownEdge(window, idleWatts: meter.meanWatts(fromTick: command - 200, untilTick: command - 5))
        else {
            remarks.append("The trace shows no plateau after shutdown_cmd; no transition figures.")
            return
        }
        func joules(_ a: Double, _ b: Double) -> Double { meter.joules(meter.readings.integral(from: a, until: b)) }
        summary.shutdownSeconds = (edge.tick - command) * meter.secondsPerTick
        summary.shutdownJoules = joules(command, edge.tick)
        // The plateau's mean, clear of the discharge after the edge and of the pulse.
        let plateauEnd = (pulse ?? Double(end)) - 20
        let plateauBegin = min(edge.settledTick + 200, plateauEnd - 100)
        summary.sleepWatts = meter.meanWatts(fromTick: plateauBegin, untilTick: plateauEnd)
        guard let pulse, let sleep = summary.sleepWatts else { return }
        let ready = events.last("board_ready").map(board.tick).flatMap { $0 > pulse ? $0 : nil }
        let rise = PowerWindow(meter, from: pulse - 5, until: ready ?? Double(end))
        if let rail = rise.firstCrossing(above: sleep + 0.5) {
            summary.railSeconds = (rail - pulse) * meter.secondsPerTick
        }
        guard let ready else {
            remarks.append("The board was not ready before the trace ended; wake time and energy are not known.")
            return
        }
        summary.wakeSeconds = (ready - pulse) * meter.secondsPerTick
        summary.wakeJoules = joules(pulse, ready)
    }
}

/// Corrected power of the samples of a stretch.
struct PowerWindow {
    private(set) var ticks: [Double] = []
    private(set) var watts: [Double] = []

    init(_ meter: MeterEnergy, from: Double, until: Double) {
        let trace = meter.readings.trace
        let c = meter.correction
        for run in trace.runs {
            let first = Double(run.firstTick)
            let spacing = Double(trace.ticksPerSample)
            let begin = max(0, Int(((from - first) / spacing).rounded(.up)))
            let end = min(run.count, Int(((until - first) / spacing).rounded(.down)) + 1)
            guard begin < end else { continue }
            for offset in begin..<end {
                let sample = run.start + offset
                let volts = (Double(trace.microvolts[sample]) * 1e-6 - c.voltage.offset) / c.voltage.gain
                let amperes = (Double(trace.microamperes[sample]) * 1e-6 - c.current.offset) / c.current.gain
                ticks.append(first + Double(offset) * spacing)
                watts.append(volts * amperes)
            }
        }
    }

    /// Middle between the last sample below and the first of three above a level; inside a gap that is its middle.
    func firstCrossing(above level: Double) -> Double? {
        for index in watts.indices.dropFirst()
        where watts[index] > level && watts[index...].prefix(3).allSatisfy({ $0 > level }) {
            return (ticks[index - 1] + ticks[index]) / 2
        }
        return nil
    }
}

/// The last edge down to the plateau of a shutdown: shutdown, a bump of the bootloader, then off.
struct ShutdownEdge {
    /// Middle of the last edge, ticks; and where the 21-sample median is inside the plateau's band for good.
    var tick: Double
    var settledTick: Double

    init?(_ window: PowerWindow, idleWatts: Double) {
        let (ticks, watts) = (window.ticks, window.watts)
        guard watts.count >= 200 else { return nil }
        let tail = watts[(watts.count - min(watts.count / 3, 5000))..<(watts.count - 10)].sorted()
        let plateau = tail[tail.count / 2]
        let deviations = tail.map { abs($0 - plateau) }.sorted()
        let sigma = 1.4826 * deviations[deviations.count / 2]
        let step = abs(idleWatts - plateau)
        let band = max(6 * sigma / 10.0.squareRoot(), 0.05 * step)
        guard step > 4 * sigma, step > 0.05 else { return nil }
        var settled = 0
        for index in watts.indices.reversed() {
            let low = max(0, min(index - 10, watts.count - 21))
            let median = watts[low..<low + 21].sorted()[10]
            if abs(median - plateau) > band {
                settled = index + 1
                break
            }
        }
        guard settled > 0, settled < watts.count else { return nil }
        // Level before the last edge: the 40 samples that end 15 samples before it settles.
        let before = watts[max(0, settled - 55)..<max(1, settled - 15)].sorted()
        let level = before[before.count / 2]
        let middle = plateau + 0.5 * (level - plateau)
        // The median turns when half of its window has turned; the edge lies at most its width around.
        var edge = min(settled + 12, watts.count - 1)
        while edge > max(0, settled - 40), abs(watts[edge] - plateau) < abs(middle - plateau) { edge -= 1 }
        tick = edge + 1 < ticks.count ? (ticks[edge] + ticks[edge + 1]) / 2 : ticks[edge]
        settledTick = ticks[settled]
    }
}
