import CLibUSB
import Foundation

/// The doctor's look at the GPIO chips that boards hang on.
enum GPIOChecks {
    static func findings() -> [Finding] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: "/dev")) ?? [])
            .filter { $0.hasPrefix("gpiochip") }
            .sorted { $0.compare($1, options: .numeric) == .orderedAscending }
        guard !names.isEmpty else {
            return [
                Finding(
                    "gpio", .note, "no GPIO chip: boards cannot be put to sleep or woken from this host",
                    mend: "only needed where bench.yaml names lines; use a host with GPIO (a Pi, a USB adapter)")
            ]
        }
        return names.map { chip("/dev/" + $0) }
    }

    private static func chip(_ path: String) -> Finding {
        var lines: UInt32 = 0
        var label = [CChar](repeating: 0, count: 64)
        let abi = wb_gpio_probe(path, &lines, &label, label.count)
        let name = String(decoding: label.prefix { $0 != 0 }.map { UInt8(bitPattern: Int8($0)) }, as: UTF8.self)
        switch abi {
        case -1 where errno == EACCES || errno == EPERM:
            return Finding(
                "gpio", .warning, "\(path) may not be opened by this user",
                mend: "add the user to group gpio, or run 'scripts/install-udev --gpio'")
        case -1:
            return Finding("gpio", .warning, "\(path) does not answer: \(String(cString: strerror(errno)))")
        case 2:
            return Finding(
                "gpio", .note,
                "\(path) (\(name), \(lines) lines): this kernel has GPIO ABI 2 only, which needs libgpiod 2",
                mend: "a program built on Debian 12 (libgpiod 1) fails here: build it on this system")
        default:
            return Finding("gpio", .ok, "\(path) (\(name), \(lines) lines), ABI \(abi == 3 ? "1 and 2" : "1")")
        }
    }
}
