internal import Logging

/// Takes a logger's messages to a ``DeploymentLog``.
struct DeploymentLogHandler: LogHandler {
  let label: String
  let log: DeploymentLog
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  /// The level that this logger alone was given.
  private var ownLevel: Logger.Level?

  init(label: String, log: DeploymentLog) {
    self.label = label
    self.log = log
  }

  var logLevel: Logger.Level {
    get { ownLevel ?? log.control.level(of: label) }
    set { ownLevel = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var all = metadata
    if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
    if let more = event.metadata { all.merge(more) { $1 } }
    log.write(log.line(event, label: label, metadata: all))
  }
}
