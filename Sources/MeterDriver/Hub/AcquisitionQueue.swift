import Dispatch
import Synchronization
import Traces

/// The bounded queue between the bus thread and the one consumer.
///
/// Overflow is declared, never silent: when `capacity` elements wait, a block is dropped, counted, and told as a gap
/// of cause `.queue` before the next block that fits. Gaps, events and links are small and rare, and always fit.
/// With `.wait` the producer waits instead: only for buses with a clock of their own, where no meter is waiting.
package final class AcquisitionQueue: Sendable {
    package enum Overflow: Sendable { case count, wait }

    private struct State {
        var elements: [AcquisitionEvent] = []
        var ledgers: [String: DropLedger] = [:]
        var dropped: [String: Int] = [:]
        var waiter: CheckedContinuation<[AcquisitionEvent], Never>?
        var isFinished = false
        var isAbandoned = false
        var producerWaits = false
    }

    private let state = Mutex(State())
    private let space = DispatchSemaphore(value: 0)
    package let capacity: Int
    package let overflow: Overflow

    package init(capacity: Int, overflow: Overflow = .count) {
        self.capacity = max(1, capacity)
        self.overflow = overflow
    }

    /// Bus thread: hands one element over. Answers how many samples had to be dropped for it.
    @discardableResult
    package func push(_ event: AcquisitionEvent) -> Int {
        while true {
            let (wait, dropped) = state.withLock { state -> (Bool, Int) in
                guard !state.isFinished, !state.isAbandoned else { return (false, 0) }
                if case .block = event, state.elements.count >= capacity, overflow == .wait {
                    state.producerWaits = true
                    return (true, 0)
                }
                return (false, Self.put(event, capacity: capacity, into: &state))
            }
            if !wait { return dropped }
            space.wait()
        }
    }

    private static func put(_ event: AcquisitionEvent, capacity: Int, into state: inout State) -> Int {
        var dropped = 0
        switch event {
        case .block(let block):
            var ledger = state.ledgers[block.meter] ?? DropLedger(meter: block.meter)
            if state.elements.count >= capacity {
                if let gap = ledger.dropped(block) { state.elements.append(.gap(gap)) }
                dropped = block.samples.count
                state.dropped[block.meter, default: 0] += dropped
            } else {
                if let gap = ledger.delivering(block) { state.elements.append(.gap(gap)) }
                state.elements.append(event)
            }
            state.ledgers[block.meter] = ledger
        case .gap(let gap):
            var ledger = state.ledgers[gap.meter] ?? DropLedger(meter: gap.meter)
            state.elements += ledger.telling(gap).map { .gap($0) }
            state.ledgers[gap.meter] = ledger
        case .finished:
            for meter in state.ledgers.keys.sorted() {
                if let gap = state.ledgers[meter]?.finish() { state.elements.append(.gap(gap)) }
            }
            state.elements.append(event)
            state.isFinished = true
        case .event, .reading, .identity, .link:
            state.elements.append(event)
        }
        return dropped
    }

    /// Bus thread: wakes the consumer if something waits. Called once per turn of the loop, not per element.
    package func flush() {
        let due = state.withLock { state -> (CheckedContinuation<[AcquisitionEvent], Never>, [AcquisitionEvent])? in
            guard let waiter = state.waiter, !state.elements.isEmpty || state.isFinished else { return nil }
            state.waiter = nil
            return (waiter, Self.takeAll(&state, space))
        }
        due?.0.resume(returning: due?.1 ?? [])
    }

    private static func takeAll(_ state: inout State, _ space: DispatchSemaphore) -> [AcquisitionEvent] {
        let taken = state.elements
        state.elements = []
        state.elements.reserveCapacity(min(taken.count, 1024))
        if state.producerWaits {
            state.producerWaits = false
            space.signal()
        }
        return taken
    }

    /// Everything that waits; empty only at the end. One consumer.
    fileprivate func take() async -> [AcquisitionEvent] {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> [AcquisitionEvent]? in
                if !state.elements.isEmpty { return Self.takeAll(&state, space) }
                if state.isFinished || state.isAbandoned { return [] }
                state.waiter = continuation
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    /// The consumer is gone: the producer must not wait for it, nor memory grow.
    package func abandon() {
        let waiter = state.withLock { state in
            state.isAbandoned = true
            defer { state.waiter = nil }
            _ = Self.takeAll(&state, space)
            return state.waiter
        }
        waiter?.resume(returning: [])
    }

    /// Samples dropped so far, by meter.
    package var dropped: [String: Int] { state.withLock { $0.dropped } }
    /// Elements that wait now.
    package var depth: Int { state.withLock { $0.elements.count } }
}

/// The consumer's side of a hub: ends after `.finished`. Iterate it once.
package struct AcquisitionEvents: AsyncSequence, Sendable {
    package typealias Element = AcquisitionEvent
    let queue: AcquisitionQueue

    package init(queue: AcquisitionQueue) { self.queue = queue }

    package struct Iterator: AsyncIteratorProtocol {
        let queue: AcquisitionQueue
        private var batch: [AcquisitionEvent] = []
        private var index = 0

        init(queue: AcquisitionQueue) { self.queue = queue }

        package mutating func next() async -> AcquisitionEvent? {
            while index >= batch.count {
                batch = await queue.take()
                index = 0
                if batch.isEmpty { return nil }
            }
            defer { index += 1 }
            return batch[index]
        }
    }

    package func makeAsyncIterator() -> Iterator { Iterator(queue: queue) }
}
