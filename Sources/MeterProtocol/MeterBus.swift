/// Where a meter was found and whether it can be used: the four answers absent, forbidden, busy, present.
package struct FoundMeter: Sendable, Equatable {
    package enum Access: Sendable, Equatable {
        case present
        /// The device node may not be opened by this user.
        case forbidden
        /// Another program or kernel driver (named, if known) holds the interface and it could not be detached.
        case busy(holder: String?)
    }

    /// USB serial string; empty if the device has none or could not be asked.
    package var serial: String
    /// Bus and port path such as `1-1.4`: the second key.
    package var portPath: String
    package var vendorID: UInt16
    package var productID: UInt16
    /// Product string the meter gave, such as `POWER-Z KM003C`; empty if unknown.
    package var product: String
    package var access: Access
    /// The meter is emulated; every record made with it says so.
    package var isVirtual: Bool

    package init(
        serial: String, portPath: String, vendorID: UInt16, productID: UInt16, product: String, access: Access,
        isVirtual: Bool = false
    ) {
        self.serial = serial
        self.portPath = portPath
        self.vendorID = vendorID
        self.productID = productID
        self.product = product
        self.access = access
        self.isVirtual = isVirtual
    }
}

/// Why a transfer or an open did not succeed, named after what the USB stack reports.
package enum BusFailure: Error, Sendable, Equatable {
    case timeout
    /// The endpoint is halted; `clearHalt` mends it.
    case stall
    case overflow
    case noDevice
    case inputOutput
    case forbidden
    case busy(holder: String?)
    case notFound
    /// The transfer was cancelled by us.
    case cancelled
    /// Anything else, with the USB stack's own number.
    case other(Int32)
}

/// What a channel tells its owner; always delivered on the thread that runs the bus.
package enum ChannelEvent: Sendable, Equatable {
    /// An OUT transfer finished.
    case sent(atNanoseconds: Int64)
    /// An IN transfer finished with these bytes (none = zero-length packet). Stamped first thing at completion.
    case received([UInt8], atNanoseconds: Int64)
    /// A transfer ended without success.
    case failed(BusFailure, atNanoseconds: Int64)
}

/// A claimed vendor interface of one meter: one bulk OUT and one bulk IN endpoint. Lives on the bus thread.
package protocol MeterChannel: AnyObject {
    /// Posts one IN read of `readLength` bytes (a multiple of the packet size); at most one is outstanding.
    func postRead(readLength: Int)
    /// Posts one OUT transfer. Frames that could alter a meter's output or flash are refused by a precondition
    /// upstream (`FrameGuard`) and again here.
    func send(_ frame: [UInt8])
    /// Cancels what is outstanding; a `.failed(.cancelled)` event follows for a cancelled read.
    func cancel()
    func clearHalt()
    /// Releases the interface and gives it back to the kernel driver if one was detached. No event follows.
    func close()
}

/// A set of meters reachable by one stack (libusb, or the virtual bench). All methods but `wake` belong to one thread.
package protocol MeterBus: AnyObject {
    /// The host clock: CLOCK_MONOTONIC, ns (virtual buses may run their own faster clock).
    var nowNanoseconds: Int64 { get }
    /// Every device of the vendor that is plugged in now. No promised order.
    func discover() throws(BusFailure) -> [FoundMeter]
    /// Opens and claims; events for the channel go to `sink` from inside `wait`.
    func open(_ meter: FoundMeter, sink: @escaping (ChannelEvent) -> Void) throws(BusFailure) -> any MeterChannel
    /// Runs the stack's events until `deadline` (ns, same clock) or until `wake` is called.
    func wait(until deadline: Int64)
    /// Ends a running `wait` early. Callable from any thread.
    func wake()
    /// Counts arrivals and removals seen so far; a change means `discover` has news.
    var topologyGeneration: Int { get }
}
