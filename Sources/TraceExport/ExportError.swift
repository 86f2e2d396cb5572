/// What can go wrong while exporting, each case a sentence for a technician.
package enum ExportError: Error, Sendable, Equatable, CustomStringConvertible {
    case unknownFormat(name: String, known: [String])
    case unknownMeter(serial: String, known: [String])
    case emptySelection(reason: String)
    /// The file is there and was not made to be overwritten.
    case exists(path: String)
    case cannotWrite(path: String, reason: String)
    /// The format cannot express this, and clipping it would be a lie.
    case notExpressible(format: String, reason: String)

    package var description: String {
        switch self {
        case .unknownFormat(let name, let known):
            "There is no export format '\(name)': use one of \(known.joined(separator: ", "))."
        case .unknownMeter(let serial, let known):
            "The run has no meter '\(serial)': it has \(known.isEmpty ? "none" : known.joined(separator: ", "))."
        case .emptySelection(let reason):
            "The selection holds nothing: \(reason)."
        case .exists(let path):
            "\(path) exists already: choose another folder with -o, or give --overwrite."
        case .cannotWrite(let path, let reason):
            "\(path) cannot be written (\(reason)): check the folder, its permissions and the space left."
        case .notExpressible(let format, let reason):
            "The format \(format) cannot hold this: \(reason)."
        }
    }
}
