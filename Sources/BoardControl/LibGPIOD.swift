import CGPIOShim
import Glibc
import Synchronization

/// Lines of a real GPIO chip through libgpiod 1 or 2, whichever this program was built against.
///
/// When the process ends for any reason, `kill -9` included, the kernel takes the lines back and they fall to their
/// pull: an open-drain line then floats, which neither cuts nor wakes a board.
package final class LibGPIOD: GPIOLines {
    /// A line handle of the shim; used only under the lock.
    private struct Handle: @unchecked Sendable {  // the pointer never leaves the lock that guards `held`
        let line: OpaquePointer
    }

    private let held = Mutex<[LineAddress: Handle]>([:])

    package init() {}

    deinit { release() }

    /// Major version of libgpiod's interface and the library's own version text.
    package static var version: (api: Int, text: String) {
        (Int(wb_gpio_api()), String(cString: wb_gpio_version()))
    }

    /// Number of lines of a chip. - Throws: `chipNotFound`, `forbidden`.
    package static func lineCount(ofChip chip: String) throws(GPIOFailure) -> Int {
        let count = wb_gpio_chip_lines(chip)
        guard count >= 0 else { throw chipFailure(chip, -count) }
        return Int(count)
    }

    package func request(_ lines: [LineRequest], consumer: String) throws(GPIOFailure) {
        var taken: [(LineAddress, Handle)] = []
        do throws(GPIOFailure) {
            for line in lines { taken.append((line.address, try Self.open(line, consumer))) }
        } catch {
            for (_, handle) in taken { wb_gpio_close(handle.line) }
            throw error
        }
        held.withLock { held in for (address, handle) in taken { held[address] = handle } }
    }

    package func set(_ address: LineAddress, asserted: Bool) throws(GPIOFailure) {
        let code = held.withLock { held -> Int32? in held[address].map { wb_gpio_set($0.line, asserted ? 1 : 0) } }
        guard let code else { throw .notRequested(address) }
        guard code == 0 else { throw .system(address, errno: -code) }
    }

    package func isAsserted(_ address: LineAddress) throws(GPIOFailure) -> Bool {
        let value = held.withLock { held -> Int32? in held[address].map { wb_gpio_get($0.line) } }
        guard let value else { throw .notRequested(address) }
        guard value >= 0 else { throw .system(address, errno: -value) }
        return value == 1
    }

    package func release() {
        held.withLock { held in
            for handle in held.values { wb_gpio_close(handle.line) }
            held = [:]
        }
    }

    private static func open(_ line: LineRequest, _ consumer: String) throws(GPIOFailure) -> Handle {
        let mode: wb_gpio_mode
        switch line.mode {
        case .openDrain: mode = WB_GPIO_OPEN_DRAIN
        case .pushPull: mode = WB_GPIO_PUSH_PULL
        case .input(let pullUp): mode = pullUp ? WB_GPIO_INPUT_PULL_UP : WB_GPIO_INPUT
        }
        if line.role.mustBeOpenDrain, line.mode == .pushPull { throw .wouldBackFeed(line.address, line.role) }
        // An open-drain line can only pull low, so low is the only level it can assert.
        if line.mode == .openDrain, !line.activeLow { throw .wouldBackFeed(line.address, line.role) }
        let offset = UInt32(clamping: line.address.offset)
        let lines = try lineCount(ofChip: line.address.chip)
        guard line.address.offset >= 0, line.address.offset < lines else { throw .lineNotFound(line.address) }
        var raw: OpaquePointer?
        let code = wb_gpio_open(line.address.chip, offset, mode, line.activeLow ? 1 : 0, consumer, &raw)
        guard code == 0, let raw else {
            if -code == EBUSY { throw .lineBusy(line.address, holder: holder(of: line.address)) }
            if -code == EACCES || -code == EPERM { throw .forbidden(line.address.chip) }
            throw .system(line.address, errno: -code)
        }
        return Handle(line: raw)
    }

    private static func holder(of address: LineAddress) -> String? {
        var name = [CChar](repeating: 0, count: 64)
        let used = wb_gpio_holder(address.chip, UInt32(clamping: address.offset), &name, name.count)
        guard used == 1, name[0] != 0 else { return nil }
        return name.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { String(cString: $0) } }
    }

    private static func chipFailure(_ chip: String, _ code: Int32) -> GPIOFailure {
        code == EACCES || code == EPERM ? .forbidden(chip) : .chipNotFound(chip)
    }
}
