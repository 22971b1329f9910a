/// What a site says to its server.
public enum SiteMessage: Sendable {
  /// It is there, and has these tasks: is at work at them, or has answers to them. It keeps something of these jobs.
  case greeting(open: [TaskID], jobs: [String])
  /// It is at work.
  case progress(TaskID)
  /// It is at work, and has measured something.
  case measured(TaskID, TaskMeasurements)
  /// It has an answer, whose chunks it will send when they are wanted.
  case answer(TaskID, IncomingParcel)
  /// It has none.
  case failure(TaskID, FederationError)
}

/// What a server says to a site.
public enum ServerMessage: Sendable {
  /// The site is known; each side gives up the other after this time without a sign of life.
  case welcome(patience: Duration)
  /// A task, whose chunks the site asks for.
  case task(TaskID, AnnouncedTask)
  /// Nobody waits for the answer any longer.
  case withdrawal(TaskID, reason: String)
  /// Chunks of an answer that have not come.
  case wanted(TaskID, [Int])
  /// The answer was taken: the site can forget it.
  case receipt(TaskID)
  /// The job is over: the site can forget all of it. Its programs end at once if somebody has ended it before its time.
  case farewell(job: String, isAborted: Bool)
}
