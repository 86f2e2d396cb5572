import MarkerServer
import PhaseLink

/// Reads the marker lines behind a path: a file of lines.
enum MarkerSource {
    static func report(_ path: String) throws -> MarkerReport {
        let (records, _) = try FileMarkerJournal.read(path: path)
        var lines: [ReceivedLine] = []
        var exchanges: [NodeClockExchange] = []
        var closings: [ConnectionClosing] = []
        for record in records {
            switch record {
            case .line(let line): lines.append(line)
            case .clock(let exchange): exchanges.append(exchange)
            case .closing(let closing): closings.append(closing)
            }
        }
        return MarkerReport(lines: lines, exchanges: exchanges, closings: closings)
    }
}
