create table exif (
  image_id varchar not null check (length(image_id) = 64),
  make varchar,
  model varchar,
  lens varchar,
  software varchar,
  focal_length_mm double check (focal_length_mm between 0.01 and 20000),
  focal_length_35mm_mm double check (focal_length_35mm_mm between 1 and 20000),
  f_number double check (f_number between 0.1 and 1024),
  exposure_time_s double check (exposure_time_s between 1e-8 and 604800),
  iso integer check (iso between 1 and 16777216 and iso <> 65535),
  exposure_bias_ev double check (exposure_bias_ev between -30 and 30),
  brightness_ev double check (brightness_ev between -99.99 and 99.99),
  max_aperture_f double check (max_aperture_f between 0.1 and 1024),
  flash_fired boolean,
  orientation integer check (orientation between 1 and 8),
  light_source integer check (
    light_source between 0 and 4 or light_source between 9 and 24 or light_source = 255
  ),
  saturation integer check (saturation between 0 and 2),
  contrast integer check (contrast between 0 and 2),
  sharpness integer check (sharpness between 0 and 2),
  metering_mode integer check (metering_mode between 0 and 6 or metering_mode = 255),
  white_balance integer check (white_balance between 0 and 1),
  exposure_program integer check (exposure_program between 0 and 8),
  captured_at timestamptz,
  captured_at_has_offset boolean,
  artist varchar,
  copyright varchar,
  gps_lat double check (gps_lat between -90 and 90),
  gps_lon double check (gps_lon between -180 and 180),
  gps_altitude_m double check (gps_altitude_m between -12000 and 1000000),
  gps_direction_deg double check (gps_direction_deg >= 0 and gps_direction_deg < 360),
  gps_at timestamptz,
  tags map (varchar, varchar) not null,
  exif_error varchar,
  version integer not null check (version > 0),
  source varchar not null,
  run_id varchar not null,
  computed_at timestamptz not null,
  primary key (image_id, version, source)
);
comment on table exif is 'One row per image, version of the extractor and source: how and where the picture was taken. A null means absent, unreadable or out of range; what was written is in tags.';
comment on column exif.image_id is 'The image (images.image_id).';
comment on column exif.make is 'Maker of the camera.';
comment on column exif.model is 'Model of the camera.';
comment on column exif.lens is 'Model of the lens: LensModel, else what the maker note says.';
comment on column exif.software is 'Software or firmware that wrote the file.';
comment on column exif.focal_length_mm is 'Focal length of the lens, in millimetres.';
comment on column exif.focal_length_35mm_mm is 'Focal length with the same angle of view on 35 mm film, in millimetres.';
comment on column exif.f_number is 'F number (focal length divided by aperture): FNumber, else 2^(ApertureValue/2). No unit.';
comment on column exif.exposure_time_s is 'Exposure time, in seconds: ExposureTime, else 2^-ShutterSpeedValue.';
comment on column exif.iso is 'Sensitivity as an ISO 12232 speed, no unit; 65535 means "more than fits" and is null unless a wider tag tells.';
comment on column exif.exposure_bias_ev is 'Exposure compensation, in EV (factors of two of exposure).';
comment on column exif.brightness_ev is 'Brightness of the subject in the APEX system, in EV.';
comment on column exif.max_aperture_f is 'Smallest F number of the lens, no unit: 2^(MaxApertureValue/2) from a file, as given from texts.';
comment on column exif.flash_fired is 'Whether the flash fired: bit 0 of Flash.';
comment on column exif.orientation is 'How the stored pixels are to be turned, EXIF code 1 to 8; 1 is upright.';
comment on column exif.light_source is 'Kind of light, EXIF code (0 unknown, 1 daylight, 2 fluorescent, 3 tungsten, 4 flash, 9 fine, 10 cloudy, ...).';
comment on column exif.saturation is 'Saturation setting, EXIF code: 0 normal, 1 low, 2 high.';
comment on column exif.contrast is 'Contrast setting, EXIF code: 0 normal, 1 soft, 2 hard.';
comment on column exif.sharpness is 'Sharpness setting, EXIF code: 0 normal, 1 soft, 2 hard.';
comment on column exif.metering_mode is 'Metering mode, EXIF code: 0 unknown, 1 average, 2 centre-weighted, 3 spot, 4 multi-spot, 5 pattern, 6 partial, 255 other.';
comment on column exif.white_balance is 'White balance, EXIF code: 0 automatic, 1 manual.';
comment on column exif.exposure_program is 'Exposure programme, EXIF code: 0 undefined, 1 manual, 2 normal, 3 aperture priority, 4 shutter priority, 5 creative, 6 action, 7 portrait, 8 landscape.';
comment on column exif.captured_at is 'When the picture was taken: DateTimeOriginal, else DateTimeDigitized, with fractions of a second; taken as UTC where captured_at_has_offset is false.';
comment on column exif.captured_at_has_offset is 'Whether the file tells the offset from UTC of captured_at; false: it is the camera''s local time. Null without captured_at.';
comment on column exif.artist is 'Who took the picture.';
comment on column exif.copyright is 'Copyright notice.';
comment on column exif.gps_lat is 'Latitude, in degrees, north positive (datum in tags[''GPS GPSMapDatum''], nearly always WGS 84).';
comment on column exif.gps_lon is 'Longitude, in degrees, east positive.';
comment on column exif.gps_altitude_m is 'Altitude, in metres, negative below the sea level or ellipsoid that it refers to.';
comment on column exif.gps_direction_deg is 'Direction of view, in degrees clockwise from north, 0 up to 360 (true or magnetic: tags[''GPS GPSImgDirectionRef'']).';
comment on column exif.gps_at is 'When the position was measured, UTC.';
comment on column exif.tags is 'Every tag found, by its name with the directory first (Image Model, EXIF FNumber, MakerNote Quality), worded as exifread does.';
comment on column exif.exif_error is 'The first thing wrong with the EXIF data, where it could not be read to the end; null when nothing was.';
comment on column exif.version is 'Version of the extractor.';
comment on column exif.source is 'Where the tags come from: file, or the name of the provider whose record gave them.';
comment on column exif.run_id is 'The run that wrote this row.';
comment on column exif.computed_at is 'When the row was computed.';
