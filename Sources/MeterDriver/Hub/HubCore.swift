import CLibUSB
import Foundation
import MeterProtocol
import Traces

/// What the bus thread runs: a bus and the sessions of its meters. Every method belongs to that thread.
///
/// The loop is: commands, timers that are due, opens and closes, then `wait` until the next deadline. Sessions react to
/// transfers from inside `wait`, so a reply never waits for another meter; opens and closes, which take longer, are
/// kept for after it.
final class HubCore {
    private let bus: any MeterBus
    private let settings: HubSettings
    private let queue: AcquisitionQueue
    private(set) var slots: [MeterSlot] = []
    private var closing: [any MeterChannel] = []
    private var generation: Int
    private var startedAt: Int64 = 0
    /// When to stop by itself; known once every meter has begun.
    private var stopsAt: Int64?

    init(bus: any MeterBus, settings: HubSettings, queue: AcquisitionQueue) {
        self.bus = bus
        self.settings = settings
        self.queue = queue
        generation = bus.topologyGeneration
    }

    // MARK: Commands

    /// Finds the meters and begins their sessions.
    func start(_ selection: MeterSelection) throws(DriverFailure) -> [StartedMeter] {
        let found: [FoundMeter]
        do throws(BusFailure) {
            found = try bus.discover()
        } catch {
            throw .cannotSearch(error)
        }
        let choice = try Self.choose(selection, from: found)
        let now = bus.nowNanoseconds
        for (failure, name) in choice.unusable {
            tell(.error, "meter_unusable", "\(failure)", name, now)
        }
        var session = settings.session
        session.unixMillisecondsAtHostZero = Int64(Date().timeIntervalSince1970 * 1000) - now / 1_000_000
        for (index, meter) in choice.meters.enumerated() {
            session.pollPhaseNanoseconds = Int64(index) * session.pollPeriodNanoseconds / Int64(choice.meters.count)
            session.nonceSeed = settings.nonceSeed &+ UInt64(index)
            slots.append(MeterSlot(meter: meter, settings: session))
        }
        startedAt = now
        for slot in slots { feed(slot, .start(atNanoseconds: now)) }
        return choice.meters
    }

    func stop() {
        let now = bus.nowNanoseconds
        for slot in slots { feed(slot, .stop(atNanoseconds: now)) }
    }

    var isFinished: Bool { slots.allSatisfy(\.isFinished) }

    // MARK: One turn

    func turn(rescan: Bool) {
        let now = bus.nowNanoseconds
        for slot in slots {
            if let deadline = slot.session.deadlineNanoseconds, deadline <= now {
                feed(slot, .timer(atNanoseconds: now))
            }
        }
        stopIfDue(now)
        closeAndOpen()
        if rescan || bus.topologyGeneration != generation { lookAround() }
        queue.flush()
        if !isFinished, !slots.contains(where: \.wantsOpen), closing.isEmpty { bus.wait(until: nextDeadline(now)) }
        queue.flush()
    }

    /// Before any meter is started: keeps the bus alive until a command comes.
    func idle() { bus.wait(until: bus.nowNanoseconds + 1_000_000_000) }

    private func nextDeadline(_ now: Int64) -> Int64 {
        slots.compactMap(\.session.deadlineNanoseconds).reduce(min(stopsAt ?? .max, now + 1_000_000_000), min)
    }

    private func stopIfDue(_ now: Int64) {
        guard let duration = settings.durationNanoseconds else { return }
        if let stopsAt {
            guard now >= stopsAt else { return }
            self.stopsAt = .max
            stop()
        } else if now - startedAt >= settings.startGraceNanoseconds
            || slots.allSatisfy({ $0.isFinished || $0.session.account.received > 0 })
        {
            stopsAt = now + duration
        }
    }

    private func closeAndOpen() {
        for channel in closing { channel.close() }
        closing = []
        let waiting = slots.filter(\.wantsOpen)
        guard !waiting.isEmpty else { return }
        let found = (try? bus.discover()) ?? []
        for slot in waiting {
            slot.wantsOpen = false
            open(slot, among: found)
        }
    }

    private func open(_ slot: MeterSlot, among found: [FoundMeter]) {
        guard let meter = found.first(where: slot.isThis) else {
            return feed(slot, .openFailed(.noDevice, atNanoseconds: bus.nowNanoseconds))
        }
        slot.channelNumber += 1
        let number = slot.channelNumber
        do throws(BusFailure) {
            slot.channel = try bus.open(meter) { [weak self, weak slot] event in
                guard let self, let slot, slot.channel != nil, slot.channelNumber == number else { return }
                feed(slot, .channel(event))
            }
        } catch {
            return feed(slot, .openFailed(error, atNanoseconds: bus.nowNanoseconds))
        }
        feed(slot, .opened(atNanoseconds: bus.nowNanoseconds))
    }

    /// Something was plugged or unplugged: tells the sessions that it concerns.
    private func lookAround() {
        generation = bus.topologyGeneration
        guard let found = try? bus.discover() else { return }
        let now = bus.nowNanoseconds
        for slot in slots where !slot.isFinished {
            let isThere = found.contains(where: slot.isThis)
            if slot.channel != nil, !isThere {
                feed(slot, .lost(atNanoseconds: now))
            } else if slot.channel == nil, isThere {
                feed(slot, .returned(atNanoseconds: now))
            }
        }
        let known = found.filter { meter in !slots.contains { $0.isThis(meter) } }
        for meter in known where !strangers.contains(meter.portPath + meter.serial) {
            strangers.insert(meter.portPath + meter.serial)
            tell(
                .info, "meter_arrived",
                "a meter that is not part of this recording was plugged in at \(meter.portPath)",
                meter.serial.isEmpty ? meter.portPath : meter.serial, now)
        }
    }

    private var strangers: Set<String> = []

    // MARK: Sessions

    private func feed(_ slot: MeterSlot, _ event: MeterSession.Event) {
        for action in slot.session.handle(event) { perform(action, slot) }
        noteLink(slot)
    }

    private func perform(_ action: MeterSession.Action, _ slot: MeterSlot) {
        switch action {
        case .open: slot.wantsOpen = true
        case .postRead(let length): slot.channel?.postRead(readLength: length)
        case .send(let frame): slot.channel?.send(frame)
        case .cancel: slot.channel?.cancel()
        case .clearHalt: slot.channel?.clearHalt()
        case .close:
            if let channel = slot.channel { closing.append(channel) }
            slot.channel = nil
        case .samples(let block):
            let dropped = queue.push(.block(block))
            slot.counters.droppedByQueue += dropped
            slot.pushedSamples += block.samples.count - dropped
            slot.counters.newestBlockAtNanoseconds = block.completedAtNanoseconds
            slot.counters.newestMicrovolts = block.samples.last?.vbusMicrovolts
            slot.counters.newestMicroamperes = block.samples.last?.ibusMicroamperes
        case .gap(let gap): queue.push(.gap(gap))
        case .adc(let reading, let now):
            queue.push(.reading(meter: slot.meter.name, reading, atNanoseconds: now))
        case .identity(let hardware, let firmware):
            slot.counters.firmware = firmware?.version
            queue.push(.identity(meter: slot.meter.name, hardware: hardware, firmware: firmware))
        case .event(let event): queue.push(.event(event))
        case .finished(let failure):
            slot.counters.link = failure == nil ? .stopped : .failed
            let now = bus.nowNanoseconds
            if let failure { tell(.error, "meter_given_up", "\(failure)", slot.meter.name, now) }
            queue.push(.link(meter: slot.meter.name, slot.counters.link, atNanoseconds: now))
        }
    }

    private func noteLink(_ slot: MeterSlot) {
        let link: MeterLink
        switch slot.session.condition {
        case .idle, .opening, .connecting: link = .opening
        case .streaming: link = .streaming
        case .recovering: link = .recovering
        case .absent: link = .absent
        case .stopping, .finished: return
        }
        guard link != slot.counters.link else { return }
        slot.counters.link = link
        queue.push(.link(meter: slot.meter.name, link, atNanoseconds: bus.nowNanoseconds))
    }

    private func tell(
        _ severity: RunEvent.Severity, _ kind: String, _ text: String, _ source: String, _ now: Int64
    ) {
        queue.push(
            .event(RunEvent(atNanoseconds: now, severity: severity, source: source, kind: kind, text: text)))
    }

    // MARK: Books

    func counters() -> [MeterCounters] {
        for slot in slots {
            slot.counters.account = slot.session.account
            slot.counters.traffic = slot.session.traffic
        }
        return slots.map(\.counters)
    }

    /// Closes what is open and tells the consumer that nothing follows.
    func finish() -> HubTotals {
        for slot in slots {
            if let channel = slot.channel { closing.append(channel) }
            slot.channel = nil
        }
        for channel in closing { channel.close() }
        closing = []
        let totals = HubTotals(
            meters: counters(), imbalances: slots.compactMap { $0.imbalance() },
            busThreadCPUNanoseconds: wb_thread_cpu_ns())
        queue.push(.finished(totals))
        queue.flush()
        return totals
    }
}
