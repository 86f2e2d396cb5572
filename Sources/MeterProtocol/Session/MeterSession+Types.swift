package import Traces

extension MeterSession {
    /// What a session is asked to do, and its limits. Times in ns.
    package struct Settings: Sendable, Equatable {
        /// Entry of the profile's rate table; 3 = 1000 samples/s.
        package var rateIndex: UInt16 = 3
        /// 20 to 30 ms. At 1 kHz the ring holds 63 ms.
        package var pollPeriodNanoseconds: Int64 = 25_000_000
        /// Where in the period this meter's turn is: meter k of N takes k · period / N.
        package var pollPhaseNanoseconds: Int64 = 0
        package var replyTimeoutNanoseconds: Int64 = 250_000_000
        /// Silence that ends a drain.
        package var drainQuietNanoseconds: Int64 = 20_000_000
        /// Answered polls without a sample for this long restart the graph.
        package var watchdogNanoseconds: Int64 = 3_000_000_000
        /// Adds the ADC payload to a poll this often (a self-check of averages); nil: only once before the start.
        package var adcEveryNanoseconds: Int64?
        /// First pause before a channel is opened again; doubles up to the largest.
        package var backOffNanoseconds: Int64 = 500_000_000
        package var largestBackOffNanoseconds: Int64 = 4_000_000_000
        /// Recoveries without a single sample in between, with the meter present, before the session gives up.
        package var recoveryLimit = 12
        /// How long an unplugged meter is waited for.
        package var absenceLimitNanoseconds: Int64 = 3_600_000_000_000
        /// A model whose protocol is unverified may be asked for its hardware id when it refuses to start: a read that is
        /// harmless on KM002C and KM003C and has not been tried on others.
        package var readsUnverifiedMemory = true
        /// Clock of the auth request at host time 0: Unix time in ms minus host time in ms.
        package var unixMillisecondsAtHostZero: Int64 = 0
        /// Seed of the eight random bytes in an auth request.
        package var nonceSeed: UInt64 = 0

        package init() {}
    }

    /// What happens to a session. Times: host CLOCK_MONOTONIC, ns.
    package enum Event: Sendable, Equatable {
        /// Begin: leads to `.open`.
        case start(atNanoseconds: Int64)
        /// The channel asked for by `.open` is claimed.
        case opened(atNanoseconds: Int64)
        case openFailed(BusFailure, atNanoseconds: Int64)
        case channel(ChannelEvent)
        /// `deadlineNanoseconds` has passed. Early or late calls do no harm.
        case timer(atNanoseconds: Int64)
        /// The device has gone (hot-plug); a failed transfer says the same.
        case lost(atNanoseconds: Int64)
        /// A device with this meter's serial is there again: no need to wait out the back-off.
        case returned(atNanoseconds: Int64)
        /// Poll once more, stop the graph, disconnect, close, finish.
        case stop(atNanoseconds: Int64)
    }

    /// What the owner of the session must do, in order.
    package enum Action: Sendable, Equatable {
        /// Find the meter by its serial and open it; answer with `.opened` or `.openFailed`.
        case open
        case postRead(readLength: Int)
        case send([UInt8])
        case cancel
        case clearHalt
        case close
        case samples(SampleBlock)
        case gap(Gap)
        case adc(ADCReading, atNanoseconds: Int64)
        /// The meter's own texts, once after the first open, where the profile reads them.
        case identity(hardware: IdentityText?, firmware: IdentityText?)
        case event(RunEvent)
        /// The last action of a session; nil: stopped as asked.
        case finished(SessionFailure?)
    }

    /// What is going on, for displays.
    package enum Condition: String, Sendable {
        case idle, opening, connecting, streaming, recovering, absent, stopping, finished
    }

    /// Counters besides the sample account.
    package struct Traffic: Sendable, Equatable {
        package var polls = 0
        /// Turns of the poll schedule that passed while a reply was awaited.
        package var skippedTurns = 0
        /// Latest start of a poll behind its turn, ns.
        package var latestPollNanoseconds: Int64 = 0
        /// Replies discarded: damaged, of an unexpected type, or with the id of an earlier request.
        package var discardedReplies = 0
        package var timeouts = 0
        package var stalls = 0
        package var transferErrors = 0
        /// Times the session was lost and opened again on the same channel.
        package var sessionsLost = 0
        package var graphRestarts = 0
        /// Times the channel was opened again after the first.
        package var reconnects = 0

        package init() {}
    }
}

/// Why a session ended without being asked to. Each case reads as a sentence for a technician.
package enum SessionFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case cannotOpen(meter: String, BusFailure)
    case noAnswer(meter: String, to: String)
    case authRefused(meter: String)
    case unverifiedMemory(meter: String)
    case startRefused(meter: String)
    case gone(meter: String, seconds: Int64)
    case tooManyRecoveries(meter: String, count: Int, last: String)
    case frameRefused(meter: String, ProtocolFailure)

    package var description: String {
        switch self {
        case .cannotOpen(let meter, let failure):
            "meter \(meter) cannot be opened (\(failure)): see `wattbench doctor`"
        case .noAnswer(let meter, let request):
            "meter \(meter) does not answer \(request): unplug it, wait two seconds, plug it in again"
        case .authRefused(let meter):
            "meter \(meter) refuses authentication with each of its own credentials: is its firmware newer than the notes?"
        case .unverifiedMemory(let meter):
            "meter \(meter) wants authentication, which reads memory of a model whose map is not known: allow it explicitly"
        case .startRefused(let meter):
            "meter \(meter) refuses to start sampling, also after reconnecting: unplug it and plug it in again"
        case .gone(let meter, let seconds):
            "meter \(meter) was unplugged and has not come back in \(seconds) s"
        case .tooManyRecoveries(let meter, let count, let last):
            "meter \(meter) gave no sample in \(count) recoveries, the last one after: \(last)"
        case .frameRefused(let meter, let failure):
            "meter \(meter): \(failure)"
        }
    }
}
