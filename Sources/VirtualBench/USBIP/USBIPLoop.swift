import Foundation

/// One USB/IP connection: first the list, then, once a meter is taken, its URBs.
struct USBIPConnection {
    let descriptor: Int32
    var meter: Int?
    var session: URBSession?
    var incoming: [UInt8] = []
    var outgoing: [UInt8] = []
    /// Close as soon as everything is sent.
    var closesWhenSent = false
    /// Made by us and attached to this machine's kernel: attached again after a replug.
    var isAttached = false

    /// Sends what goes without waiting. False if the other side is gone.
    mutating func flush() -> Bool {
        while !outgoing.isEmpty {
            let count = send(descriptor, outgoing, outgoing.count, Int32(MSG_NOSIGNAL))
            if count > 0 {
                outgoing.removeFirst(count)
            } else if count < 0, errno == EAGAIN || errno == EINTR {
                return true
            } else {
                return false
            }
        }
        return !closesWhenSent
    }
}

/// The loop of the server's thread.
// @unchecked: handed over once, before the thread starts; never touched by two threads.
final class USBIPLoop: @unchecked Sendable {
    private let world: VirtualWorld
    private let pipe: WakePipe
    private let listener: Int32
    private let descriptors: [USBDescriptors]
    private var connections: [USBIPConnection] = []
    /// Meters to attach again when they are back on the bus.
    private var awaitingReplug: Set<Int> = []
    private static let longestSleep: Int64 = 20_000_000

    init(world: VirtualWorld, pipe: WakePipe, listener: Int32) {
        self.world = world
        self.pipe = pipe
        self.listener = listener
        descriptors = world.present { state in state.meters.map { USBDescriptors(truth: $0.truth) } }
    }

    var connectedMeters: Int { connections.count { $0.meter != nil } }

    func attachAll() throws(VirtualBenchFailure) {
        let free = try VirtualHostController.freePorts()
        guard free.count >= descriptors.count else {
            throw .attach(
                "The virtual host controller has \(free.count) free ports, \(descriptors.count) meters need one each.")
        }
        do throws(VirtualBenchFailure) {
            for (meter, port) in zip(descriptors.indices, free) { try attach(meter, port: port) }
        } catch {
            close()
            throw error
        }
    }

    private func attach(_ meter: Int, port: Int) throws(VirtualBenchFailure) {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw .socket(what: "Socket pair for the kernel", errno: errno)
        }
        defer { Foundation.close(ends[1]) }
        let generation = world.present { $0.ports[meter].generation }
        let id = DeviceList.busNumber << 16 | DeviceList.deviceNumber(meter: meter, generation: generation)
        do throws(VirtualBenchFailure) {
            try VirtualHostController.attach(port: port, descriptor: ends[1], deviceID: id)
        } catch {
            Foundation.close(ends[0])
            throw error
        }
        add(ends[0], meter: meter, isAttached: true)
    }

    private func add(_ descriptor: Int32, meter: Int?, isAttached: Bool) {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var connection = USBIPConnection(descriptor: descriptor, meter: meter, isAttached: isAttached)
        if let meter { connection.session = URBSession(control: ControlEndpoint(descriptors: descriptors[meter])) }
        connections.append(connection)
    }

    /// One round: hand over what is ready, sleep until something is due or arrives.
    func turn() {
        let next = deliver()
        var set = [pollfd(fd: pipe.readEnd, events: Int16(POLLIN), revents: 0)]
        set.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
        for connection in connections {
            let events = POLLIN | (connection.outgoing.isEmpty ? 0 : POLLOUT)
            set.append(pollfd(fd: connection.descriptor, events: Int16(events), revents: 0))
        }
        let wait = max(0, min(next, Self.longestSleep))
        if poll(&set, nfds_t(set.count), Int32(wait / 1_000_000)) == 0, wait % 1_000_000 > 0 {
            // The rest below a millisecond, which poll cannot count: replies take fractions of one.
            var rest = timespec(tv_sec: 0, tv_nsec: Int(wait % 1_000_000))
            nanosleep(&rest, nil)
        }
        if set[0].revents != 0 { _ = pipe.drain() }
        for index in connections.indices.reversed() where set[index + 2].revents != 0 {
            if !receive(index) { remove(index) }
        }
        if set[1].revents != 0 {
            let descriptor = accept(listener, nil, nil)
            if descriptor >= 0 { add(descriptor, meter: nil, isAttached: false) }
        }
    }

    /// Moves finished transfers to the kernel and notices pulled cables. Returns ns until the next event.
    private func deliver() -> Int64 {
        let meters = connections.map(\.meter)
        let (due, plugged, wait) = world.present { state -> ([[Completion]], [Bool], Int64) in
            let due = meters.map { meter in meter.map { state.ports[$0].takeCompletions(upTo: state.now) } ?? [] }
            return (
                due, state.ports.map(\.isPlugged), state.nextEvent(includingCompletions: true) - state.now
            )
        }
        for index in connections.indices.reversed() {
            for completion in due[index] {
                if let bytes = connections[index].session?.finished(completion) { connections[index].outgoing += bytes }
            }
            let isPulled = connections[index].meter.map { !plugged[$0] } ?? false
            if isPulled, connections[index].isAttached, let meter = connections[index].meter {
                awaitingReplug.insert(meter)
            }
            if isPulled || !connections[index].flush() { remove(index) }
        }
        for meter in awaitingReplug where plugged[meter] {
            awaitingReplug.remove(meter)
            if let port = (try? VirtualHostController.freePorts())?.first { try? attach(meter, port: port) }
        }
        return wait
    }

    private func receive(_ index: Int) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(connections[index].descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                if !take(buffer[..<count], index) { return false }
            } else if count < 0, errno == EAGAIN || errno == EINTR {
                return connections[index].flush()
            } else {
                return false
            }
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>, _ index: Int) -> Bool {
        guard connections[index].meter != nil else {
            connections[index].incoming += bytes
            return answerList(index)
        }
        return carryOut(connections[index].session?.feed(bytes) ?? [], index)
    }

    private func answerList(_ index: Int) -> Bool {
        let (request, length) = DeviceList.request(connections[index].incoming)
        switch request {
        case .incomplete: return connections[index].incoming.count < 8 + DeviceList.busIDSize
        case .invalid: return false
        case .list:
            let taken = Set(connections.compactMap(\.meter))
            let shown = world.present { state in
                state.ports.indices.filter { state.ports[$0].isPlugged }.map { ($0, state.ports[$0].generation) }
            }.filter { !taken.contains($0.0) }
            var reply = DeviceList.header(DeviceList.replyList, status: 0)
            var count = [UInt8](repeating: 0, count: 4)
            URBSession.put(UInt32(shown.count), into: &count, at: 0)
            reply += count
            for (meter, generation) in shown {
                reply += DeviceList.record(meter: meter, generation: generation, descriptors: descriptors[meter])
                reply += DeviceList.interfaceRecords(descriptors[meter])
            }
            connections[index].outgoing += reply
            connections[index].closesWhenSent = true
            return true
        case .take(let busID):
            let taken = Set(connections.compactMap(\.meter))
            let meter = descriptors.indices.first { DeviceList.busID($0) == busID }
            let isFree = meter.map { m in !taken.contains(m) && world.present { $0.ports[m].isPlugged } } ?? false
            guard let meter, isFree else {
                connections[index].outgoing += DeviceList.header(DeviceList.replyImport, status: 1)
                connections[index].closesWhenSent = true
                return true
            }
            let generation = world.present { $0.ports[meter].generation }
            connections[index].meter = meter
            connections[index].session = URBSession(control: ControlEndpoint(descriptors: descriptors[meter]))
            connections[index].outgoing += DeviceList.header(DeviceList.replyImport, status: 0)
            connections[index].outgoing += DeviceList.record(
                meter: meter, generation: generation, descriptors: descriptors[meter])
            let rest = connections[index].incoming.dropFirst(length)
            connections[index].incoming = []
            return rest.isEmpty || take(rest, index)
        }
    }

    private func carryOut(_ actions: [URBSession.Action], _ index: Int) -> Bool {
        guard let meter = connections[index].meter else { return false }
        for action in actions {
            switch action {
            case .reply(let bytes): connections[index].outgoing += bytes
            case .submitOut(let sequence, let frame):
                world.present { $0.submitOut(frame, meter: meter, token: UInt64(sequence)) }
            case .submitIn(let sequence, let length):
                world.present { $0.ports[meter].submitIn(length: length, token: UInt64(sequence), at: $0.now) }
            case .cancelIn(let sequence):
                world.present { _ = $0.ports[meter].cancelReads(token: UInt64(sequence)) }
            case .clearHalt: world.present { $0.ports[meter].clearHalt() }
            case .foreign(let endpoint, let bytes):
                // Text on the serial interface changes the output voltage of a real meter.
                if endpoint == 2 || endpoint == 3, !bytes.isEmpty {
                    world.present { $0.reportSerialText(bytes, meter: meter) }
                }
            case .drop: return false
            }
        }
        return true
    }

    private func remove(_ index: Int) {
        let connection = connections.remove(at: index)
        Foundation.close(connection.descriptor)
        if let meter = connection.meter { world.present { $0.ports[meter].forgetHost() } }
    }

    func close() {
        for index in connections.indices.reversed() { remove(index) }
        if listener >= 0 { Foundation.close(listener) }
    }
}
