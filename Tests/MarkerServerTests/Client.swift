import Glibc
import NIOPosix
import PhaseLink

/// A blocking socket client on a thread of its own pool: what a plain program in another language would do.
final class Client: Sendable {
    private let descriptor: Int32

    init(port: Int, udp: Bool = false, host: String = "127.0.0.1") throws {
        descriptor = socket(AF_INET, Int32(udp ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 { throw Failure.connect(errno) }
    }

    enum Failure: Error { case connect(Int32) }

    deinit { close(descriptor) }

    func limitReading(milliseconds: Int) {
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: (milliseconds % 1000) * 1000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// False if the other side is gone.
    @discardableResult
    func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    /// What arrives next; nil at the end of the stream or after the reading limit.
    func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Reads lines until one satisfies `isLast`, the stream ends, or nothing comes for the reading limit.
    func lines(until isLast: (MarkerLine) -> Bool) -> [MarkerLine] {
        var splitter = LineSplitter()
        var lines: [MarkerLine] = []
        while let text = receive() {
            for case .line(let bytes) in splitter.feed(Array(text.utf8)) {
                guard let line = try? MarkerLine(decoding: bytes[...]) else { continue }
                lines.append(line)
                if isLast(line) { return lines }
            }
        }
        return lines
    }
}

/// Runs blocking work away from the concurrency pool, which has as many threads as the machine has cores.
func blocking<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await NIOThreadPool.singleton.runIfActive(work)
}

func mark(_ source: String, _ sequence: Int64, node: String = "edge-0", kind: String = "local_train") -> String {
    let event = MarkerEvent(
        identity: MarkerIdentity(source: SourceIdentity(node: node, boot: "b0", source: source), sequence: sequence),
        monoNanoseconds: 1_000 + sequence, body: .mark(.init(edge: .point, phase: kind)))
    return MarkerLine.event(event).encoded + "\n"
}
