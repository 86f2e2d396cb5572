import Foundation
import MeterProtocol
import Testing

@testable import VirtualBench

/// A USB/IP client on a plain blocking socket, written from the protocol's description and not from the server's code.
final class BareClient {
    let fd: Int32
    private var sequence: UInt32 = 0

    init(port: Int) throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.fd = fd
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafeBytes(of: address) { bytes in
            bytes.baseAddress.map { connect(fd, $0.assumingMemoryBound(to: sockaddr.self), 16) } ?? -1
        }
        try #require(status == 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(fd) }

    func write(_ bytes: [UInt8]) { _ = send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    func read(_ count: Int) throws -> [UInt8] {
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: max(1, count))
        while out.count < count {
            let n = recv(fd, &buffer, count - out.count, 0)
            try #require(n > 0, "the server sent too little")
            out += buffer[..<n]
        }
        return out
    }

    static func big(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
    }
    static func number(_ bytes: [UInt8], _ at: Int) -> UInt32 { bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) } }

    func list() throws -> [String] {
        write([0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0])
        let head = try read(12)
        #expect(Array(head[..<8]) == [0x01, 0x11, 0x00, 0x05, 0, 0, 0, 0])
        var names: [String] = []
        for _ in 0..<Self.number(head, 8) {
            let record = try read(312)
            #expect(Self.number(record, 256 + 32 + 8) == 2)
            #expect(Array(record[300..<302]) == [0x5F, 0xC9])
            names.append(String(decoding: record[256..<288].prefix { $0 != 0 }, as: UTF8.self))
            _ = try read(4 * Int(record[311]))
        }
        return names
    }

    func take(_ name: String) throws -> Bool {
        write(
            [0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0] + Array(name.utf8) + [UInt8](repeating: 0, count: 32 - name.utf8.count)
        )
        let head = try read(8)
        guard Self.number(head, 4) == 0 else { return false }
        _ = try read(312)
        return true
    }

    @discardableResult
    func submit(
        endpoint: UInt32, isIn: Bool, length: Int, setup: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0], data: [UInt8] = []
    )
        -> UInt32
    {
        sequence += 1
        let words: [UInt32] = [1, sequence, 0x90001, isIn ? 1 : 0, endpoint, isIn ? 0x200 : 0, UInt32(length), 0, 0, 0]
        write(words.flatMap(Self.big) + setup + data)
        return sequence
    }

    func unlink(_ victim: UInt32) -> UInt32 {
        sequence += 1
        write(([2, sequence, 0x90001, 0, 0, victim] as [UInt32]).flatMap(Self.big) + [UInt8](repeating: 0, count: 24))
        return sequence
    }

    struct Answer {
        var command: UInt32
        var sequence: UInt32
        var status: Int32
        var data: [UInt8]
        var taken: Int
    }

    /// - Parameter reads: sequence numbers of IN requests: only their answers carry data.
    func answer(reads: Set<UInt32>) throws -> Answer {
        let head = try read(48)
        let sequence = Self.number(head, 4)
        let length = Int(Self.number(head, 24))
        let hasData = Self.number(head, 0) == 3 && reads.contains(sequence)
        return Answer(
            command: Self.number(head, 0), sequence: sequence, status: Int32(bitPattern: Self.number(head, 20)),
            data: hasData ? try read(length) : [], taken: length)
    }

    func control(_ setup: [UInt8], length: Int) throws -> Answer {
        let number = submit(endpoint: 0, isIn: setup[0] & 0x80 != 0, length: length, setup: setup)
        return try answer(reads: [number])
    }

    /// One request and one reply on the vendor interface.
    func exchange(_ frame: [UInt8]) throws -> [UInt8] {
        let read = submit(endpoint: 1, isIn: true, length: 4096)
        let write = submit(endpoint: 1, isIn: false, length: frame.count, data: frame)
        var reply: [UInt8]?
        for _ in 0..<2 {
            let answer = try answer(reads: [read])
            #expect(answer.status == 0)
            if answer.sequence == read { reply = answer.data }
            if answer.sequence == write { #expect(answer.taken == frame.count) }
        }
        return try #require(reply)
    }
}

@Suite(.serialized) struct USBIPTests {
    private func serve(_ boards: Int, change: (inout BenchDescription) -> Void = { _ in }) throws
        -> (bench: VirtualBench, server: USBIPServer)
    {
        var description = BenchDescription(boards: boards, seed: 2, clock: .real)
        description.isIdeal = true
        change(&description)
        let bench = VirtualBench(description)
        let server = try USBIPServer(bench: bench, host: "127.0.0.1", port: 0)
        try server.start()
        return (bench, server)
    }

    @Test func theListShowsWhatIsNotTakenAndASecondClientIsRefused() throws {
        let (_, server) = try serve(3)
        defer { server.stop() }
        #expect(try BareClient(port: server.port).list() == ["9-1", "9-2", "9-3"])
        let owner = try BareClient(port: server.port)
        #expect(try owner.take("9-2"))
        #expect(try BareClient(port: server.port).list() == ["9-1", "9-3"])
        #expect(try !BareClient(port: server.port).take("9-2"))
        #expect(try !BareClient(port: server.port).take("9-9"))
    }

    @Test func enumerationGetsTheDescriptorsOfARealMeter() throws {
        let (_, server) = try serve(1)
        defer { server.stop() }
        let client = try BareClient(port: server.port)
        #expect(try client.take("9-1"))
        let device = try client.control([0x80, 6, 0, 1, 0, 0, 64, 0], length: 64)
        #expect(device.data.hexDigits == "12011002ef020120c95f63000001010403" + "01")
        #expect(try client.control([0x80, 6, 0, 6, 0, 0, 10, 0], length: 10).status == -32)
        let head = try client.control([0x80, 6, 0, 2, 0, 0, 9, 0], length: 9)
        #expect(head.data == [0x09, 0x02, 0x82, 0x00, 0x04, 0x01, 0x00, 0x80, 0x32])
        #expect(try client.control([0x80, 6, 0, 2, 0, 0, 255, 0], length: 255).data.count == 130)
        let serial = try client.control([0x80, 6, 3, 3, 9, 4, 255, 0], length: 255)
        #expect(serial.data == [14, 3] + "VB0001".utf8.flatMap { [$0, 0] })
        #expect(try client.control([0x00, 9, 1, 0, 0, 0, 0, 0], length: 0).status == 0)
        #expect(try client.control([0x81, 6, 0, 0x22, 3, 0, 24, 0], length: 24).data.count == 24)
        #expect(try client.control([0x80, 0, 0, 0, 0, 0, 2, 0], length: 2).data == [0, 0])
    }

    @Test func aSessionStreamsThroughTheVendorInterface() throws {
        let (bench, server) = try serve(1)
        defer { server.stop() }
        let client = try BareClient(port: server.port)
        #expect(try client.take("9-1"))
        let stale = client.submit(endpoint: 1, isIn: true, length: 4096)
        #expect(try client.answer(reads: [stale]).data == [0x03, 0x06, 0, 0])
        #expect(try client.exchange([0x02, 1, 0, 0]) == [0x05, 1, 0, 0])
        let credential = bench.truth().meters[0].parameters.hardwareID
        let auth = AuthRequest(unixMilliseconds: 1, credential: credential, nonce: [UInt8](repeating: 0, count: 12))
        _ = try client.exchange(HostRequest(id: 2, .streamingAuth(auth)).bytes)
        #expect(try client.exchange([0x0E, 3, 6, 0]) == [0x05, 3, 0, 0])
        var uptimes: [UInt32] = []
        for id in 4..<20 as Range<UInt8> {
            usleep(20_000)
            guard case .data(let data) = try MeterReply(decoding: try client.exchange([0x0C, id, 4, 0])) else {
                Issue.record("no data")
                return
            }
            uptimes += try data.queue().map(\.uptimeMilliseconds)
        }
        #expect(uptimes.count > 200)
        #expect(zip(uptimes, uptimes.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func anUnlinkedReadIsNeverAnsweredAndTheUnlinkAlways() throws {
        let (_, server) = try serve(1) { _ in }
        defer { server.stop() }
        let client = try BareClient(port: server.port)
        #expect(try client.take("9-1"))
        let stale = client.submit(endpoint: 1, isIn: true, length: 4096)
        _ = try client.answer(reads: [stale])
        let read = client.submit(endpoint: 1, isIn: true, length: 4096)
        let interrupt = client.submit(endpoint: 3, isIn: true, length: 8)
        for victim in [read, interrupt] {
            let unlink = client.unlink(victim)
            let answer = try client.answer(reads: [])
            #expect(answer.command == 4 && answer.sequence == unlink && answer.status == -104)
        }
        let again = client.unlink(read)
        let answer = try client.answer(reads: [])
        #expect(answer.sequence == again && answer.status == 0)
    }

    @Test func aStallAndItsClearingLookLikeUSB() throws {
        let (bench, server) = try serve(1)
        defer { server.stop() }
        let client = try BareClient(port: server.port)
        #expect(try client.take("9-1"))
        let stale = client.submit(endpoint: 1, isIn: true, length: 4096)
        _ = try client.answer(reads: [stale])
        let read = client.submit(endpoint: 1, isIn: true, length: 4096)
        usleep(50_000)
        bench.inject(Fault(.stall))
        #expect(try client.answer(reads: [read]).status == -32)
        let halted = client.submit(endpoint: 1, isIn: true, length: 4096)
        #expect(try client.answer(reads: [halted]).status == -32)
        #expect(try client.control([0x02, 1, 0, 0, 0x81, 0, 0, 0], length: 0).status == 0)
        #expect(try client.exchange([0x02, 1, 0, 0]) == [0x05, 1, 0, 0])
    }

    @Test func aPulledCableClosesTheConnectionAndTheMeterComesBack() throws {
        let (bench, server) = try serve(1)
        defer { server.stop() }
        let client = try BareClient(port: server.port)
        #expect(try client.take("9-1"))
        bench.inject(Fault(.unplug, durationSeconds: 0.3))
        var byte = [UInt8](repeating: 0, count: 1)
        #expect(recv(client.fd, &byte, 1, 0) == 0)
        var names: [String] = []
        for _ in 0..<100 where names.isEmpty {
            usleep(50_000)
            names = try BareClient(port: server.port).list()
        }
        #expect(names == ["9-1"])
    }

    @Test func onlyLoopbackIsServedUnlessAllowed() {
        let bench = VirtualBench(BenchDescription(boards: 1, seed: 1, clock: .real))
        #expect(throws: VirtualBenchFailure.notLoopback(host: "0.0.0.0")) {
            try USBIPServer(bench: bench, host: "0.0.0.0", port: 0)
        }
    }

    @Test func anyBytesAreAnsweredOrTheConnectionDropped() {
        var g = SeededGenerator(seed: 8)
        let control = ControlEndpoint(descriptors: USBDescriptors(truth: MeterTruth(serial: "VB0001", board: "b")))
        for _ in 0..<400 {
            var session = URBSession(control: control)
            for _ in 0..<6 {
                var bytes = (0..<Int(g.uniform(0, 120))).map { _ in UInt8(truncatingIfNeeded: g.next()) }
                if bytes.count > 48, g.uniform() < 0.8 {
                    bytes.replaceSubrange(0..<4, with: [0, 0, 0, g.uniform() < 0.5 ? 1 : 2])
                    bytes.replaceSubrange(24..<28, with: [0, 0, 0, UInt8(g.uniform(0, 60))])
                }
                if session.feed(bytes).contains(where: { if case .drop = $0 { true } else { false } }) { break }
            }
            _ = DeviceList.request((0..<Int(g.uniform(0, 60))).map { _ in UInt8(truncatingIfNeeded: g.next()) })
        }
    }

    @Test(arguments: EmulatedModel.allCases) func descriptorsAddUpToTheirTotalLength(model: EmulatedModel) {
        let descriptors = USBDescriptors(truth: MeterTruth(serial: "VB0001", model: model, board: "b"))
        let c = descriptors.configuration
        #expect(c.count == Int(c[2]) | Int(c[3]) << 8)
        var at = 0
        var interfaces: [UInt8] = []
        while at < c.count {
            if c[at + 1] == 4 { interfaces.append(c[at + 5]) }
            at += Int(c[at])
        }
        #expect(at == c.count)
        #expect(interfaces == descriptors.interfaces.map(\.0))
        #expect(descriptors.device.count == 18)
        #expect(descriptors.objectStore.count == 33)
    }
}
