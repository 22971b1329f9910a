internal import SystemPackage
internal import TesseraCore
public import TesseraRun

extension Job {
  /// Puts the job's files into a run's folder, so that the run can be gone on with and repeated from there.
  ///
  /// - Throws: `TensorError` if they cannot be written.
  public func write(to record: RunRecord) throws {
    for file in files { try AtomicFile.write(file.text, to: record.folder.appending(file.name)) }
  }

  /// The job that a run was made of.
  ///
  /// - Parameters:
  ///   - record: The run.
  ///   - manifest: What it did.
  ///   - components: What the job's files can name.
  /// - Throws: `ConfigurationError` if the files are damaged; `RunError` if the record does not say where they came from, or
  ///   the secret that its noise came from is gone.
  public init(
    recordedIn record: RunRecord,
    _ manifest: RunManifest,
    components: JobComponents = .standard
  ) throws {
    guard let base = manifest.configuration["folder"] else {
      throw RunError(
        code: .malformedRecord,
        message: "run.json: the field 'configuration.folder' is missing"
      )
    }
    try self.init(
      contentsOf: record.folder,
      relativeTo: FilePath(base),
      components: components
    )
    guard noise == .secret else { return }
    secret = try HeldSecret.read(at: NoiseOrigin.file(in: record.folder))
    guard secret != nil || manifest.roundCount == 0 else {
      throw RunError(
        code: .cannotResume,
        message: """
          the noise of \(record.folder) came from a secret, and \(NoiseOrigin.fileName) is no longer there
          """
      )
    }
  }
}
