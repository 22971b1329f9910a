internal import TesseraFederation

extension JobNews {
  /// What is still news of what has happened, in its order.
  ///
  /// Before the end of a round, who was asked goes once the site has answered or is asked anew, and so does what it has measured; who
  /// has answered goes, and how far contents were. Of a site the last measurement stays, and of a content on its way the last that is
  /// known: of others than those that are told of last, too.
  ///
  /// - Parameter news: What has happened, the oldest first.
  /// - Returns: What of it is to be told.
  static func withoutTheOld(_ news: [JobNews]) -> [JobNews] {
    var kept: [JobNews] = []
    var later = Later()
    for one in news.reversed() {
      if let event = later.rest(of: one.event) { kept.append(JobNews(event, at: one.time)) }
    }
    guard
      let place = kept.firstIndex(where: {
        if case .transferring = $0.event { true } else { false }
      })
    else { return kept.reversed() }
    kept[place].event = .transferring(later.transfers)
    return kept.reversed()
  }

  /// What is known to have come later, while one goes back in time.
  private struct Later {
    private struct Content: Hashable {
      var site: String
      var direction: TransferProgress.Direction
    }

    /// Whether a round has ended.
    private var isRoundOver = false
    /// The sites that have answered, that were asked, and that have measured something.
    private var answered: Set<String> = []
    private var asked: Set<String> = []
    private var measured: Set<String> = []
    private var contents: Set<Content> = []
    private(set) var transfers: [JobEvent.Transfer] = []

    /// What of an event is still news.
    mutating func rest(of event: JobEvent) -> JobEvent? {
      switch event {
      case .roundFinished:
        isRoundOver = true
      case .asked(let task, let round, let sites):
        defer { asked.formUnion(sites) }
        guard isRoundOver else { return event }
        let open = sites.filter { !answered.contains($0) && !asked.contains($0) }
        return open.isEmpty ? nil : .asked(task: task, round: round, sites: open)
      case .measured(let measurement):
        let isOld = isRoundOver && answered.contains(measurement.site)
        return measured.insert(measurement.site).inserted && !isOld ? event : nil
      case .answered(let site, _):
        answered.insert(site)
        return isRoundOver ? nil : event
      case .refused(let site, _):
        answered.insert(site)
      case .transferring(let all):
        guard !isRoundOver else { return nil }
        let isFirst = transfers.isEmpty
        for one in all
        where contents.insert(Content(site: one.site, direction: one.direction)).inserted {
          transfers.append(one)
        }
        transfers.sort { ($0.site, $0.direction.rawValue) < ($1.site, $1.direction.rawValue) }
        return isFirst ? event : nil
      case .changed, .waiting, .declined, .away, .returned, .serverLost, .serverFound: break
      }
      return event
    }
  }
}

extension JobEvent {
  /// Whether it says no more than how a round goes on: of very much, this goes first.
  var isDetail: Bool {
    switch self {
    case .asked, .measured, .answered, .refused, .transferring: true
    case .changed, .waiting, .declined, .away, .returned, .roundFinished, .serverLost, .serverFound:
      false
    }
  }
}
