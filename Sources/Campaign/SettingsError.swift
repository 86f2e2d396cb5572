/// A mistake in a settings file: where it stands, what is wrong and what would be right.
package struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    package var file: String
    /// Line in the file, from 1; 0 if the file as a whole is meant.
    package var line: Int
    /// Key path such as `boards[2].meter`.
    package var path: String
    package var problem: String

    package init(file: String, line: Int, path: String, problem: String) {
        self.file = file
        self.line = line
        self.path = path
        self.problem = problem
    }

    package var description: String {
        let place = line > 0 ? "\(file):\(line)" : file
        return path.isEmpty ? "\(place): \(problem)" : "\(place): \(path): \(problem)"
    }
}
