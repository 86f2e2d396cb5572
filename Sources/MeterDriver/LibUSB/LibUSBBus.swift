import CLibUSB
package import MeterProtocol

/// The real bus: every meter that libusb sees.
///
/// All methods but `wake` belong to one thread. Transfers complete inside `wait`; their events are stamped first
/// thing in libusb's callback and delivered to the sinks before `wait` returns, never from inside a callback, so a
/// sink may open, send or close. `wait` returns early when it has delivered something.
package final class LibUSBBus: MeterBus {
    private static let glanceNanoseconds: Int64 = 2_000_000_000
    /// A survey this young is not repeated.
    private static let freshNanoseconds: Int64 = 300_000_000
    /// A cancelled transfer comes home within a few ms unless the host controller is in trouble.
    private static let pumpRounds = 20

    private let context: OpaquePointer
    private let rules: DeviceRules
    private let surveyor: DeviceSurveyor
    private let scout: DeviceScout
    private var latest: (survey: DeviceSurveyor.Survey, at: Int64)?
    private var hotplugHandles: [libusb_hotplug_callback_handle] = []
    private var hasHotplugNews = false
    private var events: [(channel: LibUSBChannel, event: ChannelEvent)] = []
    private var channels: [LibUSBChannel] = []
    private var retiring: [LibUSBChannel] = []
    private var nextGlance: Int64 = 0
    private var isShutDown = false

    package private(set) var topologyGeneration = 0

    /// Throws `.usbUnavailable` when libusb does not start. A machine without any USB bus is no error: it has no meters.
    package init(rules: DeviceRules = DeviceRules()) throws(DriverFailure) {
        var made: OpaquePointer?
        let code = libusb_init(&made)
        guard code == 0, let made else { throw .usbUnavailable(code: code, name: USBError.name(code)) }
        context = made
        self.rules = rules
        surveyor = DeviceSurveyor(context: USBContext(raw: made), rules: rules)
        scout = DeviceScout(surveyor: surveyor)
        _ = wb_usb_set_log_level(made, 0)
        registerHotplug()
        nextGlance = nowNanoseconds + Self.glanceNanoseconds
    }

    deinit { shutDown() }

    package var nowNanoseconds: Int64 { wb_monotonic_ns() }

    // MARK: Looking

    /// All devices worth a word, usable or not; see `DeviceSurveyor`. May take half a second while a device is being
    /// plugged in: for a bus that is not streaming.
    package func survey() throws(BusFailure) -> [SurveyedDevice] {
        let survey = try surveyor.survey(open: openPorts)
        latest = (survey, nowNanoseconds)
        return survey.devices
    }

    /// While no channel is open, what is plugged in now. While streaming, what the scout saw last; a new look is on its
    /// way then, and `topologyGeneration` changes when it has found something else.
    package func discover() throws(BusFailure) -> [FoundMeter] {
        let now = nowNanoseconds
        let isFresh = latest.map { now - $0.at < Self.freshNanoseconds } ?? false
        if !isFresh || hasHotplugNews {
            hasHotplugNews = false
            if channels.isEmpty || latest == nil { _ = try survey() } else { scout.look(open: openPorts) }
        }
        return (latest?.survey.devices ?? []).compactMap { device in
            if case .meter = device.kind { device.found } else { nil }
        }
    }

    private var openPorts: Set<String> { Set(channels.map(\.portPath)) }

    private func takeNews() {
        let now = nowNanoseconds
        if hasHotplugNews {
            hasHotplugNews = false
            scout.look(open: openPorts)
        } else if now >= nextGlance {
            nextGlance = now + Self.glanceNanoseconds
            scout.glance(open: openPorts)
        }
        guard let survey = scout.takeResult() else { return }
        let isNews = latest?.survey.devices != survey.devices
        latest = (survey, now)
        if isNews { topologyGeneration += 1 }
    }

    // MARK: Channels

    package func open(_ meter: FoundMeter, sink: @escaping (ChannelEvent) -> Void) throws(BusFailure)
        -> any MeterChannel
    {
        if latest == nil { _ = try survey() }
        guard let survey = latest?.survey, let reference = survey.references[meter.portPath],
            let device = survey.devices.first(where: { $0.found.portPath == meter.portPath }),
            device.found.vendorID == meter.vendorID, device.found.productID == meter.productID
        else { throw .noDevice }
        guard case .meter(let interface) = device.kind else { throw .notFound }
        let handle = try surveyor.claim(reference, interface, portPath: meter.portPath)
        let channel = LibUSBChannel(
            bus: self, handle: handle, interface: interface, portPath: meter.portPath, sink: sink)
        channels.append(channel)
        return channel
    }

    package func wait(until deadline: Int64) {
        handleEvents(until: events.isEmpty ? min(deadline, nextGlance) : 0)
        releaseRetired()
        takeNews()
        let due = events
        events = []
        for (channel, event) in due { channel.deliver(event) }
    }

    /// Ends a running `wait`. The only method for other threads: libusb allows it from anywhere.
    package func wake() { libusb_interrupt_event_handler(context) }

    /// Closes every channel and libusb itself. Bounded: if the host controller does not give transfers back within
    /// two seconds the context is left to the end of the process, because freeing what the kernel still writes to
    /// is worse.
    package func shutDown() {
        guard !isShutDown else { return }
        isShutDown = true
        for channel in channels { channel.close() }
        let limit = nowNanoseconds + 2_000_000_000
        while !retiring.isEmpty, nowNanoseconds < limit {
            handleEvents(until: nowNanoseconds + 10_000_000)
            releaseRetired()
        }
        for handle in hotplugHandles { libusb_hotplug_deregister_callback(context, handle) }
        scout.finish()
        latest = nil
        _ = scout.takeResult()
        if retiring.isEmpty { libusb_exit(context) }
    }

    func enqueue(_ event: ChannelEvent, for channel: LibUSBChannel) { events.append((channel, event)) }

    /// Takes a closing channel over until its transfers are home.
    func retire(_ channel: LibUSBChannel) {
        channels.removeAll { $0 === channel }
        retiring.append(channel)
        var rounds = 0
        while channel.outstanding > 0, rounds < Self.pumpRounds {
            handleEvents(until: nowNanoseconds + 5_000_000)
            rounds += 1
        }
        releaseRetired()
    }

    private func releaseRetired() {
        guard !retiring.isEmpty else { return }
        for channel in retiring { channel.release() }
        retiring.removeAll { $0.isReleased }
    }

    private func handleEvents(until deadline: Int64) {
        let now = nowNanoseconds
        let microseconds = max(0, deadline - now + 999) / 1000
        var limit = timeval(tv_sec: Int(microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000))
        let code = libusb_handle_events_timeout_completed(context, &limit, nil)
        if code != 0, code != LIBUSB_ERROR_INTERRUPTED.rawValue {
            // A broken poll must not become a spinning thread.
            var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
            nanosleep(&pause, nil)
        }
    }

    // MARK: Arrivals and removals

    private static let plugged: libusb_hotplug_callback_fn = { _, _, _, user in
        guard let user else { return 1 }
        Unmanaged<LibUSBBus>.fromOpaque(user).takeUnretainedValue().hasHotplugNews = true
        return 0
    }

    private func registerHotplug() {
        guard libusb_has_capability(UInt32(LIBUSB_CAP_HAS_HOTPLUG.rawValue)) != 0 else { return }
        let events = Int32(LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED.rawValue | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT.rawValue)
        for identity in rules.identities {
            var handle: libusb_hotplug_callback_handle = 0
            let code = libusb_hotplug_register_callback(
                context, events, 0, Int32(identity.vendorID), identity.productID.map(Int32.init) ?? -1, -1,
                Self.plugged, Unmanaged.passUnretained(self).toOpaque(), &handle)
            if code == 0 { hotplugHandles.append(handle) }
        }
    }
}
