import Foundation
import MeterProtocol
import Testing

@testable import VirtualBench

/// What eleven meters at 1 kHz cost on the real clock. Prints figures, judges only the loss; on request, since it takes
/// ten seconds: `WATTBENCH_BENCHMARK=1 swift test --filter RealTimeLoad`.
@Suite struct RealTimeLoadTests {
    @Test(.enabled(if: ProcessInfo.processInfo.environment["WATTBENCH_BENCHMARK"] != nil))
    func elevenMetersOnTheRealClock() throws {
        var description = BenchDescription(boards: 11, seed: 1, clock: .real)
        description.schedule = FedAvgSchedule()
        let bench = VirtualBench(description)
        let bus = bench.makeBus()
        var hosts: [TestHost] = []
        for m in 0..<11 {
            let host = TestHost(bus: bus)
            try host.open(serial: BenchDescription.serial(m))
            try host.openSession()
            _ = try host.reply(.startGraph(rateIndex: 3))
            hosts.append(host)
        }
        func cpu() -> Double {
            var usage = rusage()
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6
        }
        for host in hosts { _ = try host.samples() }
        let before = bench.truth().meters.map(\.counts)
        let began = VirtualWorld.monotonicNanoseconds()
        let used = cpu()
        var polls = 0
        var received = 0
        while VirtualWorld.monotonicNanoseconds() - began < 10_000_000_000 {
            for host in hosts {
                received += try host.samples().count
                polls += 1
            }
            hosts[0].pass(milliseconds: 10)
        }
        let seconds = Double(VirtualWorld.monotonicNanoseconds() - began) * 1e-9
        let overwritten = zip(bench.truth().meters, before).reduce(0) {
            $0 + $1.0.counts.overwritten - $1.1.overwritten
        }
        let share = 100 * (cpu() - used) / seconds
        print(
            "11 meters, \(seconds) s: \(received) samples in \(polls) polls, \(overwritten) overwritten, "
                + "\(share) % of a core, host included")
        #expect(Double(received) > 0.99 * 11_000 * seconds - Double(overwritten))
    }
}
