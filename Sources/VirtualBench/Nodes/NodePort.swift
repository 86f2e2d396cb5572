import Foundation
import PhaseLink

/// An IPv4 address and port as the socket calls want it.
struct SocketAddress4: Sendable {
    var raw: sockaddr_in

    init(resolving host: String, port: Int) throws(VirtualBenchFailure) {
        raw = sockaddr_in()
        raw.sin_family = sa_family_t(AF_INET)
        raw.sin_port = in_port_t(UInt16(clamping: port)).bigEndian
        let name = host == "localhost" ? "127.0.0.1" : host
        if inet_pton(AF_INET, name, &raw.sin_addr) == 1 { return }
        var hints = addrinfo()
        hints.ai_family = AF_INET
        var found: UnsafeMutablePointer<addrinfo>?
        defer { if let found { freeaddrinfo(found) } }
        guard getaddrinfo(name, nil, &hints, &found) == 0, let address = found?.pointee.ai_addr else {
            throw .noAddress(host: host)
        }
        raw.sin_addr = UnsafeRawPointer(address).load(as: sockaddr_in.self).sin_addr
    }

    init(raw: sockaddr_in) { self.raw = raw }

    var isLoopback: Bool { UInt32(bigEndian: raw.sin_addr.s_addr) >> 24 == 127 }

    func with<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        withUnsafeBytes(of: raw) { bytes in
            guard let base = bytes.baseAddress else { preconditionFailure("a struct has an address") }
            return body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

/// The sockets of one node and what it still has to get rid of.
struct NodePort {
    private struct Waiting {
        var source: String
        var sequence: Int64
        var text: String
    }

    let udpPort: Int
    private let node: Int
    private let receiver: SocketAddress4
    private let token: String?
    private let udp: Int32
    private var tcp: Int32 = -1
    private var isConnected = false
    /// Not acknowledged, oldest first; the first `sent` of them are on the present connection.
    private var waiting: [Waiting] = []
    private var sent = 0
    private var outgoing: [UInt8] = []
    private var splitter = LineSplitter()
    private var retryAt: Int64 = 0
    private var backoff: Int64 = 100_000_000
    private var isAlive = true
    /// The machine fell silent: its connection stays as it is, until the machine is back.
    private var isMute = false
    private static let queueLimit = 4096

    init(node: Int, receiver: SocketAddress4, token: String?) throws(VirtualBenchFailure) {
        self.node = node
        self.receiver = receiver
        self.token = token
        let udp = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        self.udp = udp
        guard udp >= 0 else { throw .socket(what: "Socket for a node's clock", errno: errno) }
        _ = fcntl(udp, F_SETFL, O_NONBLOCK)
        // Beyond loopback the node must be reachable from the receiver.
        let local = try SocketAddress4(resolving: receiver.isLoopback ? "127.0.0.1" : "0.0.0.0", port: 0)
        guard local.with({ bind(udp, $0, $1) }) == 0 else {
            throw .socket(what: "Port for a node's clock", errno: errno)
        }
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutableBytes(of: &bound) { bytes in
            bytes.baseAddress.map { getsockname(udp, $0.assumingMemoryBound(to: sockaddr.self), &length) } ?? -1
        }
        guard status == 0 else { throw .socket(what: "Port for a node's clock", errno: errno) }
        udpPort = Int(UInt16(bigEndian: bound.sin_port))
    }

    var unacknowledgedCount: Int { waiting.count }

    var descriptors: [pollfd] {
        var list = [pollfd(fd: udp, events: Int16(POLLIN), revents: 0)]
        if tcp >= 0 {
            let wantsToSend = !isConnected || !outgoing.isEmpty
            list.append(pollfd(fd: tcp, events: Int16(POLLIN | (wantsToSend ? POLLOUT : 0)), revents: 0))
        }
        return list
    }

    mutating func take(_ output: NodeOutput) {
        switch output {
        case .line(let event):
            // As the protocol has it, a full queue drops its oldest: the receiver sees the hole in the numbers.
            if waiting.count >= Self.queueLimit {
                waiting.removeFirst()
                sent = max(0, sent - 1)
            }
            waiting.append(
                Waiting(
                    source: event.source.source, sequence: event.identity.sequence,
                    text: MarkerLine.event(event).encoded))
        case .woke:
            // The machine's memory is new: what was queued before is gone.
            disconnect(retryIn: 0)
            isAlive = true
            isMute = false
        case .died(let cleanly):
            isAlive = false
            if !cleanly {
                isMute = true
                waiting = []
                sent = 0
                outgoing = []
            }
        case .connectionDropped: disconnect(retryIn: 50_000_000)
        }
    }

    /// Connects and sends as far as it goes without waiting.
    mutating func pump(now: Int64) {
        guard !isMute else { return }
        if tcp < 0 {
            guard now >= retryAt, isAlive || !waiting.isEmpty else { return }
            connect(now: now)
        }
        guard tcp >= 0 else { return }
        if !isConnected {
            var poller = pollfd(fd: tcp, events: Int16(POLLOUT), revents: 0)
            guard poll(&poller, 1, 0) > 0 else { return }
            var failure: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(tcp, SOL_SOCKET, SO_ERROR, &failure, &length)
            guard failure == 0 else { return failed(now: now) }
            isConnected = true
            backoff = 100_000_000
            if let token { outgoing += Array((MarkerLine.auth(token: token).encoded + "\n").utf8) }
        }
        while sent < waiting.count, outgoing.count < 65_536 {
            outgoing += Array(waiting[sent].text.utf8)
            outgoing.append(0x0A)
            sent += 1
        }
        while !outgoing.isEmpty {
            let count = Foundation.send(tcp, outgoing, outgoing.count, Int32(MSG_NOSIGNAL))
            if count > 0 {
                outgoing.removeFirst(count)
            } else if count < 0, errno == EAGAIN || errno == EINTR {
                break
            } else {
                return failed(now: now)
            }
        }
        if !isAlive, waiting.isEmpty { disconnect(retryIn: 0) }
    }

    private mutating func connect(now: Int64) {
        tcp = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard tcp >= 0 else { return failed(now: now) }
        _ = fcntl(tcp, F_SETFL, O_NONBLOCK)
        _ = fcntl(tcp, F_SETFD, FD_CLOEXEC)
        var yes: Int32 = 1
        setsockopt(tcp, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        let status = receiver.with { Foundation.connect(tcp, $0, $1) }
        if status != 0, errno != EINPROGRESS { failed(now: now) }
    }

    private mutating func failed(now: Int64) {
        disconnect(retryIn: 0)
        retryAt = now + backoff
        backoff = min(2 * backoff, 5_000_000_000)
    }

    /// Closes; everything not acknowledged goes out again on the next connection.
    private mutating func disconnect(retryIn delay: Int64) {
        if tcp >= 0 { Foundation.close(tcp) }
        tcp = -1
        isConnected = false
        sent = 0
        outgoing = []
        splitter = LineSplitter()
        retryAt = delay == 0 ? 0 : VirtualWorld.monotonicNanoseconds() + delay
    }

    /// Reads acknowledgements.
    mutating func receive() {
        guard tcp >= 0, isConnected else { return }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(tcp, &buffer, buffer.count, 0)
            if count > 0 {
                for piece in splitter.feed(buffer[..<count]) {
                    guard case .line(let bytes) = piece, let line = try? MarkerLine(decoding: bytes[...]) else {
                        continue
                    }
                    if case .ack(let source, let sequence) = line { acknowledge(source, sequence) }
                }
            } else if count < 0, errno == EAGAIN || errno == EINTR {
                return
            } else {
                return failed(now: VirtualWorld.monotonicNanoseconds())
            }
        }
    }

    private mutating func acknowledge(_ source: String, _ sequence: Int64) {
        var kept: [Waiting] = []
        var stillSent = 0
        for (index, line) in waiting.enumerated() where line.source != source || line.sequence > sequence {
            kept.append(line)
            if index < sent { stillSent += 1 }
        }
        waiting = kept
        sent = stillSent
    }

    /// The next clock question, if one has come.
    mutating func receiveQuestion() -> (line: MarkerLine, sender: SocketAddress4)? {
        var buffer = [UInt8](repeating: 0, count: 2048)
        var sender = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutableBytes(of: &sender) { bytes -> Int in
            guard let base = bytes.baseAddress else { return -1 }
            return recvfrom(udp, &buffer, buffer.count, 0, base.assumingMemoryBound(to: sockaddr.self), &length)
        }
        guard count > 0 else { return nil }
        var bytes = buffer[..<count]
        while bytes.last == 0x0A { bytes.removeLast() }
        return (try? MarkerLine(decoding: bytes)).map { ($0, SocketAddress4(raw: sender)) }
            ?? (.unknown(kind: "unreadable"), SocketAddress4(raw: sender))
    }

    func reply(_ text: String, to sender: SocketAddress4) {
        let bytes = Array(text.utf8)
        _ = sender.with { sendto(udp, bytes, bytes.count, 0, $0, $1) }
    }

    mutating func close() {
        disconnect(retryIn: 0)
        Foundation.close(udp)
    }
}
