internal import Synchronization
public import SystemPackage
internal import TesseraCore
public import TesseraFederation

/// Carries a job's tasks to sites on other machines.
///
/// A site that is not connected is given its task when it comes; meanwhile it shows no progress, and the rule for waiting decides
/// how long that may be.
public struct NetworkTransport: Transport {
  /// The job's sites, at their indices.
  public let sites: [Site]
  /// The folder for temporary files that large models lie in.
  public let spool: FilePath?
  private let job: String
  private let desks: SiteDesks
  private let observer: (any TransferObserver)?
  private let answers: AnswerLimit?

  init(
    job: String,
    sites: [Site],
    desks: SiteDesks,
    spool: FilePath?,
    observer: (any TransferObserver)? = nil,
    answers: AnswerLimit? = nil
  ) {
    self.answers = answers
    self.observer = observer
    self.spool = spool
    self.job = job
    self.sites = sites
    self.desks = desks
  }

  /// Gives the sites their tasks, and waits for what comes of them.
  public func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async {
    let (answered, answer) = AsyncStream<Void>.makeStream()
    var parcels: [(exchange: Exchange, parcel: OutgoingParcel)] = []
    var announced: [(id: TaskID, task: AnnouncedTask)] = []
    for task in tasks {
      do {
        // What many sites are sent is digested once.
        let parcel: OutgoingParcel
        if let known = parcels.last, known.exchange.isSame(as: task.data) {
          parcel = known.parcel
        } else {
          parcel = try OutgoingParcel(task.data)
          parcels = [(task.data, parcel)]
        }
        var made = AnnouncedTask(
          name: task.name,
          round: task.round,
          site: task.site,
          key: task.key,
          content: .outgoing(parcel)
        )
        made.unusedSince = task.unusedSince
        made.largestAnswer = answers?.bytes(forTaskOf: parcel.byteCount, named: task.name)
        made.usualAnswer = answers?.usualBytes(
          forTaskOf: parcel.byteCount,
          named: task.name
        )
        announced.append((TaskID(job: job, step: task.step), made))
      } catch {
        report(.answered(task.site, .failure(error)))
        answer.yield()
      }
    }
    do { try observer?.willSend(announced) } catch {
      for (_, task) in announced {
        report(.answered(task.site, .failure(error)))
        answer.yield()
      }
      announced = []
    }
    for (id, task) in announced {
      desks[task.site.name].assign(id, task, observer: observer) { event in
        report(event)
        if case .answered = event { answer.yield() }
      }
    }
    var open = tasks.count
    if open > 0 {
      for await _ in answered {
        open -= 1
        if open == 0 { break }
      }
    }
    // Only who was told to stop is here with tasks that are open.
    guard open > 0 else { return }
    for task in tasks {
      desks[task.site.name].withdraw(
        TaskID(job: job, step: task.step),
        because: "nobody waits for it any longer"
      )
    }
  }
}

extension Exchange {
  /// Whether both are the same, as copies of one exchange are: the tensors are not compared, but their identity.
  fileprivate func isSame(as other: Exchange) -> Bool {
    tensors.names == other.tensors.names && parts.count == other.parts.count
      && zip(tensors.tensors, other.tensors.tensors).allSatisfy { $0.isSameTensor(as: $1) }
      && parts.allSatisfy { name, part in other.parts[name].map(part.isSame) ?? false }
      && ExchangeOutline(of: self) == ExchangeOutline(of: other)
  }
}
