import Foundation
package import Metrology
package import Timebase

/// The events a board logged on its own clock (`board_ns,event,attrs_json`), paired into spans.
package struct BoardEvents: Sendable {
    package struct Span: Sendable, Equatable {
        /// Phase name, `step`, `batch` or `sync`.
        package var name: String
        /// Step number, round, or how many of the name came before.
        package var index: Int
        package var beginNanoseconds: Int64
        package var endNanoseconds: Int64
    }

    package struct Sync: Sendable, Equatable {
        package var pattern: SyncPattern
        package var beginNanoseconds: Int64
    }

    /// Phases and steps, in order of their end.
    package private(set) var phases: [Span] = []
    package private(set) var batches: [Span] = []
    package private(set) var syncs: [Sync] = []
    /// Lone events: `shutdown_cmd`, `wake_pulse`, `board_ready`, with the last time each was seen.
    package private(set) var points: [(name: String, nanoseconds: Int64, attributes: Attributes)] = []
    /// What could not be used, one sentence each.
    package private(set) var remarks: [String] = []
    package private(set) var firstNanoseconds: Int64 = 0

    package struct Attributes: Sendable, Decodable {
        package var phase: String?
        package var step: Int?
        package var round: Int?
        package var pattern: String?
        package var chips: String?
        package var chip_ms: Double?
        package var target: String?
        package var pulse_ms: Double?
    }

    /// - Throws: `badInput` with file and line for a row that cannot be read or times that go back.
    package init(table: DelimitedTable) throws(CalibrationError) {
        let decoder = JSONDecoder()
        var open: [String: (begin: Int64, attributes: Attributes)] = [:]
        var seen: [String: Int] = [:]
        var last = Int64.min
        do throws(MetrologyError) {
            for index in 0..<table.rowCount {
                let row = table.row(index)
                let time = Int64(try row.integer("board_ns"))
                let event = try row.text("event")
                let json = try row.text("attrs_json")
                let attributes: Attributes
                do {
                    attributes = try decoder.decode(Attributes.self, from: Data((json.isEmpty ? "{}" : json).utf8))
                } catch {
                    throw row.problem("attrs_json is not a JSON object of the expected kind: \(json)")
                }
                guard time >= last else { throw row.problem("board_ns goes back; events must be in order of time") }
                if index == 0 { firstNanoseconds = time }
                last = time
                if event.hasSuffix("_start") {
                    let kind = String(event.dropLast(6))
                    if open[kind] != nil {
                        remarks.append(
                            "\(table.file):\(row.line): a \(kind) began before the last ended; the earlier one is left out"
                        )
                    }
                    open[kind] = (time, attributes)
                    if kind == "sync" { try addSync(time, attributes, row) }
                } else if event.hasSuffix("_end") {
                    let kind = String(event.dropLast(4))
                    guard let begin = open.removeValue(forKey: kind) else {
                        remarks.append("\(table.file):\(row.line): \(event) without \(kind)_start; left out")
                        continue
                    }
                    close(kind, begin.begin, begin.attributes, time, attributes, &seen)
                } else {
                    points.append((event, time, attributes))
                }
            }
        } catch {
            throw CalibrationError(error)
        }
        for (kind, begin) in open.sorted(by: { $0.key < $1.key }) {
            remarks.append("\(table.file): a \(kind) that began at \(begin.begin) never ended; left out")
        }
    }

    private mutating func addSync(
        _ time: Int64, _ attributes: Attributes, _ row: DelimitedTable.Row
    ) throws(MetrologyError) {
        guard let chips = attributes.chips, let milliseconds = attributes.chip_ms else {
            remarks.append("\(row.table.file):\(row.line): sync_start names no chips; left out")
            return
        }
        guard
            let pattern = try? SyncPattern(
                name: attributes.pattern ?? "\(syncs.count + 1)", chips: chips.map { $0 == "1" },
                chipSeconds: milliseconds * 1e-3)
        else { throw row.problem("\(chips.count) chips of \(milliseconds) ms are no sync pattern") }
        syncs.append(Sync(pattern: pattern, beginNanoseconds: time))
    }

    private mutating func close(
        _ kind: String, _ begin: Int64, _ first: Attributes, _ end: Int64, _ last: Attributes,
        _ seen: inout [String: Int]
    ) {
        guard kind != "sync" else { return }
        let name = kind == "phase" ? (first.phase ?? last.phase ?? "phase") : kind
        let count = seen[name, default: 0]
        seen[name] = count + 1
        let index = kind == "step" ? (first.step ?? count) : (kind == "phase" ? (first.round ?? count) : count)
        let span = Span(name: name, index: index, beginNanoseconds: begin, endNanoseconds: end)
        if kind == "batch" { batches.append(span) } else { phases.append(span) }
    }

    /// Time of the last event of a name, nil if there is none.
    package func last(_ name: String) -> Int64? { points.last { $0.name == name }?.nanoseconds }

    /// Every time at which the board's power is known to change, ns on the board's clock.
    package var changes: [Int64] {
        let spans = (phases + batches).flatMap { [$0.beginNanoseconds, $0.endNanoseconds] }
        let chips = syncs.flatMap { sync in
            sync.pattern.edges.map { sync.beginNanoseconds + Int64(($0 * 1e9).rounded()) }
        }
        return Array(Set(spans + chips + points.map(\.nanoseconds))).sorted()
    }
}
