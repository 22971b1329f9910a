internal import SystemPackage
internal import TesseraConfiguration
internal import TesseraFederation

extension Job {
  /// Reads the signed folder of a job that came from elsewhere.
  ///
  /// What is wrong is told to those who sent it: by the names of the job's own files, not by where they lie here.
  ///
  /// - Parameters:
  ///   - folder: Where it was unpacked.
  ///   - components: What the program that reads it has.
  ///   - program: Whose program that is, as "this site's".
  /// - Throws: ``DeploymentError`` if the job names what the program has not; `ConfigurationError` if it is wrong for other reasons.
  init(receivedIn folder: FilePath, components: JobComponents, by program: String) throws {
    do {
      try self.init(deployedFrom: JobBundle.files(in: folder), components: components)
    } catch var error as ConfigurationError {
      for index in error.problems.indices {
        guard let name = error.problems[index].file.lastComponent else { continue }
        error.problems[index].file = FilePath(name.string)
      }
      guard error.problems.contains(where: { $0.code == .unknownName }) else { throw error }
      throw DeploymentError(
        code: .invalidArgument,
        message: "\(program) program does not have all that the job names: \(error)"
      )
    }
  }
}
