import CLibUSB
import Foundation
import MeterDriver
import MeterProtocol
import Traces

/// Figures of the driver for `scripts/bench/driver`: one JSON object on stdout. Arguments: seconds and number of meters.
@main
struct DriverBench {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let seconds = arguments.first ?? 10
        let meters = arguments.count > 1 ? arguments[1] : 11
        var figures: [String: Double] = [:]
        figures["parse_samples_per_second"] = parseRate()
        try await stream(meters: meters, seconds: seconds, into: &figures)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        print(String(decoding: try encoder.encode(figures), as: UTF8.self))
    }

    /// Samples per second of one core from reply bytes to checked sample blocks: frame decoding, gap detection, unwrapping.
    private static func parseRate() -> Double {
        let perReply = 40
        let replies = (0..<1000).map { reply -> [UInt8] in
            let samples = (0..<perReply).map { index in
                QueueSample(
                    uptimeMilliseconds: UInt32(1 + reply * perReply + index), vbusMicrovolts: 5_082_025,
                    ibusMicroamperes: Int32(600_000 + index))
            }
            var frame: [UInt8] = [0x41, UInt8(truncatingIfNeeded: reply), 2, 0]
            let header = UInt32(2) | UInt32(perReply) << 16 | UInt32(20) << 22
            withUnsafeBytes(of: header.littleEndian) { frame.append(contentsOf: $0) }
            for sample in samples { sample.append(to: &frame) }
            return frame
        }
        var total = 0
        var checksum: Int64 = 0
        let begin = wb_thread_cpu_ns()
        while wb_thread_cpu_ns() - begin < 2_000_000_000 {
            var ledger = SampleLedger(meter: "BENCH", stepMilliseconds: 1)
            for (index, frame) in replies.enumerated() {
                guard let data = try? PutData(decoding: frame), let payload = data.payload(of: .adcQueue) else {
                    continue
                }
                let outputs = payload.bytes.withUnsafeBytes {
                    ledger.take(
                        $0, requestedAtNanoseconds: Int64(index) * 40_000_000,
                        completedAtNanoseconds: Int64(index) * 40_000_000 + 1_000_000)
                }
                for case .block(let block) in outputs {
                    total += block.samples.count
                    checksum &+= Int64(block.samples[0].ibusMicroamperes)
                }
            }
        }
        let elapsed = Double(wb_thread_cpu_ns() - begin) * 1e-9
        // The checksum is used, so that no optimiser can drop the work.
        return checksum == 0 ? 0 : Double(total) / elapsed
    }

    /// Bus thread and whole process while `meters` stream at 1 kHz in real time.
    private static func stream(meters: Int, seconds: Int, into figures: inout [String: Double]) async throws {
        var settings = HubSettings()
        settings.durationNanoseconds = Int64(seconds) * 1_000_000_000
        let hub = MeterHub(settings: settings) { ReplayBus(count: meters) }
        let before = processCPUSeconds()
        let clock = ContinuousClock()
        let begin = clock.now
        _ = try await hub.start()
        var samples = 0
        var totals = HubTotals()
        for await event in hub.events {
            switch event {
            case .block(let block): samples += block.samples.count
            case .finished(let books): totals = books
            default: break
            }
        }
        let wall = begin.duration(to: clock.now) / .seconds(1)
        let thread = Double(totals.busThreadCPUNanoseconds) * 1e-9
        figures["meters"] = Double(meters)
        figures["samples"] = Double(samples)
        figures["missing"] = Double(totals.meters.reduce(0) { $0 + $1.missing })
        figures["bus_thread_percent_of_a_core_per_meter"] = 100 * thread / wall / Double(meters)
        figures["process_percent_of_a_core_per_meter"] = 100 * (processCPUSeconds() - before) / wall / Double(meters)
        figures["resident_megabytes"] = residentMegabytes()
    }

    private static func processCPUSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    private static func residentMegabytes() -> Double {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        return pages.flatMap { $0.count > 1 ? Double($0[1]) : nil }.map { $0 * Double(getpagesize()) / 1e6 } ?? 0
    }
}
