public import Foundation
public import TesseraFederation
internal import TesseraRun

/// What a server or a site of a federation counts and measures.
public struct FederationMetrics: Sendable {
  /// Where it is shown.
  public let registry: MetricsRegistry

  /// Sites that are connected.
  public let connectedSites: MetricsRegistry.Gauge
  /// At a site, whether its server is there: 1 or 0.
  public let isConnected: MetricsRegistry.Gauge
  /// How often a connection was lost.
  public let disconnections: MetricsRegistry.Counter
  /// How often somebody was not let in, or what it sent was not taken.
  public let refusedConnections: MetricsRegistry.Counter
  /// Jobs, by `state`.
  public let jobs: MetricsRegistry.Gauge
  /// Whether a job pauses because the server cannot write, by `job`: 1 or 0.
  public let pausedJobs: MetricsRegistry.Gauge
  /// Rounds that are done, by `job`.
  public let rounds: MetricsRegistry.Counter
  /// How long rounds take, by `job`.
  public let roundSeconds: MetricsRegistry.Histogram
  /// Bytes of models that travelled, by `job`, `site` and `direction`: `down` to sites, `up` from them.
  public let bytes: MetricsRegistry.Counter
  /// Answers of sites, by `job`, `site` and `outcome`: `accepted` or `refused`.
  public let answers: MetricsRegistry.Counter
  /// Tasks that sites are at, by `job`.
  public let openTasks: MetricsRegistry.Gauge
  /// Whether the server is the one that acts: 1, or 0 for one that stands by.
  public let holdsLease: MetricsRegistry.Gauge
  /// Lines of the log, by `level`.
  public let logLines: MetricsRegistry.Counter
  /// How long the certificate is good for, in seconds; negative when it is over.
  public let certificateExpiry: MetricsRegistry.Gauge

  /// The metrics, and those of the process.
  ///
  /// - Parameter registry: Where they are shown.
  public init(in registry: MetricsRegistry = MetricsRegistry()) {
    self.registry = registry
    connectedSites = registry.gauge("tessera_connected_sites", "Sites that are connected.")
    isConnected = registry.gauge("tessera_connected", "Whether the server is there: 1 or 0.")
    disconnections = registry.counter(
      "tessera_disconnections_total",
      "How often a connection was lost."
    )
    refusedConnections = registry.counter(
      "tessera_refused_connections_total",
      "How often somebody was not let in, or what it sent was not taken."
    )
    jobs = registry.gauge("tessera_jobs", "Jobs, by their state.", labels: ["state"])
    pausedJobs = registry.gauge(
      "tessera_job_paused",
      "Whether a job pauses because the server cannot write: 1 or 0.",
      labels: ["job"]
    )
    rounds = registry.counter("tessera_rounds_total", "Rounds that are done.", labels: ["job"])
    roundSeconds = registry.histogram(
      "tessera_round_seconds",
      "How long rounds take.",
      labels: ["job"]
    )
    bytes = registry.counter(
      "tessera_model_bytes_total",
      "Bytes of models that travelled: down to sites, up from them.",
      labels: ["job", "site", "direction"]
    )
    answers = registry.counter(
      "tessera_answers_total",
      "Answers of sites, accepted or refused.",
      labels: ["job", "site", "outcome"]
    )
    openTasks = registry.gauge(
      "tessera_open_tasks",
      "Tasks that sites are at.",
      labels: ["job"]
    )
    holdsLease = registry.gauge(
      "tessera_lease_held",
      "Whether the server is the one that acts: 1, or 0 for one that stands by."
    )
    logLines = registry.counter(
      "tessera_log_lines_total",
      "Lines of the log, by level.",
      labels: ["level"]
    )
    certificateExpiry = registry.gauge(
      "tessera_certificate_expiry_seconds",
      "How long the certificate is good for; negative when it is over."
    )
    registry.gauge("tessera_build_info", "The program's version.", labels: ["version"])
      .set(1, [Versions.tessera])
    Self.addProcess(to: registry)
  }

  /// Shows how long a certificate is good for from now on.
  public func watchCertificate(until end: Date) {
    let gauge = certificateExpiry
    registry.beforeExposition { gauge.set(end.timeIntervalSinceNow) }
  }

  /// Counts what happens in a job's rounds; from any thread.
  public func observe(_ event: FederationEvent, of job: String) {
    switch event {
    case .answered(let site, _): answers.add(1, [job, site.name, "accepted"])
    case .refused(let refusal): answers.add(1, [job, refusal.site, "refused"])
    case .worked(let site, let effort):
      bytes.add(Double(effort.bytesDown), [job, site.name, "down"])
      bytes.add(Double(effort.bytesUp), [job, site.name, "up"])
    case .roundStarted, .asked, .notified: break
    }
  }

  /// Counts a round that is done.
  ///
  /// - Parameters:
  ///   - seconds: How long it took.
  ///   - job: The job's id.
  public func finishRound(after seconds: Double, of job: String) {
    rounds.add(1, [job])
    roundSeconds.observe(seconds, [job])
  }

  /// Forgets what was counted for a job that is gone.
  public func forget(job: String) { registry.forget("job", job) }

  /// The names and units that Prometheus' own clients have for processes.
  private static func addProcess(to registry: MetricsRegistry) {
    let resident = registry.gauge(
      "process_resident_memory_bytes",
      "Memory that is in RAM, in bytes."
    )
    let virtual = registry.gauge("process_virtual_memory_bytes", "Memory that is addressed.")
    let seconds = registry.counter(
      "process_cpu_seconds_total",
      "Time that processors worked, in seconds."
    )
    let start = registry.gauge("process_start_time_seconds", "Start, in seconds since 1970.")
    let files = registry.gauge("process_open_fds", "Open files and connections.")
    let most = registry.gauge("process_max_fds", "How many files may be open.")
    let threads = registry.gauge("process_threads", "Threads.")
    registry.beforeExposition {
      guard let usage = ProcessUsage.now else { return }
      resident.set(usage.residentBytes)
      virtual.set(usage.virtualBytes)
      seconds.family.set(usage.processorSeconds, [])
      start.set(usage.startTime)
      files.set(usage.openFiles)
      most.set(usage.mostFiles)
      threads.set(usage.threads)
    }
  }
}
