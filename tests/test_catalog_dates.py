"""Acquisition times from names and tags, as truth tables."""

import pytest

from groundbreak import times
from groundbreak.catalog import dates
from groundbreak.catalog.styles import STYLES

# The examples of the table of styles, in its order.
EXPECTED = [
    "2022-01-26 02:09 UTC",
    "2015-12-30 10:51 UTC",
    None,
    "2022-01-26 02:09 UTC",
    "2022-01-26 02:10 UTC",
    "2022-01-26",
    "2015-12-30 10:51 UTC",
    "2022-01-26 02:09 UTC",
    "2023-04-26",
    "2022-01-26",
    "2015-05-03",
    "2015-05-03",
    "2022-01-26 02:09 UTC",
    "2015-11-19 02:57 UTC",
    "2019-12-01 to 2020-05-31",
    "2017-03-08",
    "2022-03-01 15:33 UTC",
    "2019-01-01 10:30 UTC",
    "2019-01-01 04:32 UTC",
    "2018-07-16",
]


@pytest.mark.parametrize(("style", "expected"), zip(STYLES, EXPECTED, strict=True))
def test_styles(style, expected):
    first = next(s for s in STYLES if s.pattern.search(style.example))
    assert first is style, "an earlier style takes its example"
    for name in (style.example, f"clip_{style.example}"):
        if style.product.startswith("Planet mosaic") or not name.startswith("clip_"):
            span = dates.from_name(name)
            assert (span and times.describe(span)) == expected


NAMES = [
    # products, with what surrounds them in the field
    ("S2A_MSIL1C_20170702T105031_N0205_R051_T31UFQ_20200801T105034.tif", "2017-07-02 10:50 UTC"),
    ("L2A_T31UFQ_20170702T105031_B04_10m.jp2", "2017-07-02 10:50 UTC"),
    ("clip_T52SFA_20220126T020951_TCI_10m.tif", "2022-01-26 02:09 UTC"),
    ("S2B_T52SFA_20220126T021003_L2A.tif", "2022-01-26 02:10 UTC"),
    ("2023-04-01-00-00_2023-04-26-23-59_Sentinel-2_L2A_True_color.jpg", "2023-04-01 to 2023-04-26"),
    ("LT05_L1TP_116034_19951103_20170101_01_T1_B3.TIF", "1995-11-03"),
    ("LC08_CU_030006_20130316_20170728_C01_V01_SRB4.tif", "2013-03-16"),
    ("HLS.L30.T11SPC.2021203T181846.v2.0.Fmask.tif", "2021-07-22 18:18 UTC"),
    ("20220126_020951_12_2463_3B_AnalyticMS_SR_8b_clip.tif", "2022-01-26 02:09 UTC"),
    ("20190801_171230_ssc1d1_0013_ortho_visual.tif", "2019-08-01 17:12 UTC"),
    ("global_monthly_2018_01_mosaic_L15-0331E-1257N_1327_3160_13.tif", "January 2018"),
    ("planet_medres_visual_2021-03_mosaic.tif", "March 2021"),
    ("99DEC31235959-M2AS-000000000001_01_P001.TIF", "1999-12-31 23:59 UTC"),
    ("IMG_SPOT6_P_201212030949303_SEN_1234.tif", "2012-12-03 09:49 UTC"),
    ("m_4509601_ne_14_1_20090818.tif", "2009-08-18"),
    ("GF1_PMS1_E118.0_N36.6_20150509_L1A0000795890-MSS1.tif", "2015-05-09"),
    # plain names
    ("2015-12-30_clm.tif", "2015-12-30"),
    ("busan_2022-05-14.tif", "2022-05-14"),
    ("2018-12-01_013032.tif", "2018-12-01"),  # a path and row, not a time of day
    ("20191231.png", "2019-12-31"),
    ("img20190101.tif", "2019-01-01"),
    ("site.2019.03.04.final.tif", "2019-03-04"),
    ("2020-01-01T10:20:30Z.tif", "2020-01-01 10:20 UTC"),
    ("20200101T1020.tif", "2020-01-01 10:20 UTC"),
    ("20190503101530.tif", "2019-05-03 10:15 UTC"),
    ("2023-05-01-12-30-15_UMBRA-05.tif", "2023-05-01 12:30 UTC"),
    ("Screenshot 2021-03-04 101112.png", "2021-03-04"),
    ("05MAR2019.tif", "2019-03-05"),
    ("2019Mar05_site.tif", "2019-03-05"),
    ("2019-01-01_20190101.tif", "2019-01-01"),  # said twice
    ("2019-05.tif", "May 2019"),
    ("2019_05_site.tif", "May 2019"),
    ("2018.tif", "2018"),
    ("satellite_2018.tif", "2018"),
    # nothing that is a date
    ("tile_32524-5137.tif", None),
    ("tile_1361-10160.tif", None),
    ("tile_1980.tif", None),
    ("tile_2001-05.tif", None),
    ("row_2019_col_3.tif", None),
    ("image-2048.tif", None),
    ("epsg_2056.tif", None),
    ("10300100A2019100.tif", None),  # ids of catalogues
    ("1040010020190101-visual.tif", None),
    ("120200201230.tif", None),  # quadkeys
    ("20120321123012.tif", None),
    ("201905.tif", None),
    ("shifted_dx1.8_dy-0.6.tif", None),
    ("socal-fire_00000012_pre_disaster.tif", None),
    ("S2A_OPER_MSI_L1C_TL_SGS__20170103T110000_A002721_T31UFQ_B04.jp2", None),
    # folders
    ("ard/04/120200201230/2022-03-01/10300100CF3D1B00-visual.tif", "2022-03-01"),
    ("52/S/FA/2022/1/S2B_52SFA_20220126_0_L2A/B04.tif", "2022-01-26"),
    ("2022/1/scene.tif", "January 2022"),
    ("2022/01/26/scene.tif", "2022-01-26"),
    ("2019/scene.tif", "2019"),
    ("2017-01-01/2019-05-01.tif", "2019-05-01"),
    (
        "S2A_OPER_PRD_MSIL1C_PDMC_20151230T202002_R008_V20151230T105153_20151230T105153.SAFE/"
        "GRANULE/x/IMG_DATA/S2A_OPER_MSI_L1C_TL_SGS__20170103T110000_A002721_T31UFQ_B04.jp2",
        "2015-12-30 10:51 UTC",
    ),
]


@pytest.mark.parametrize(("path", "expected"), NAMES)
def test_paths(path, expected):
    found = dates.from_path(path)
    assert (found and times.describe(found.span)) == expected
    if found:
        in_name = "/" not in path or path.startswith("2017-01-01")
        assert found.source == ("file name" if in_name else "folder name")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("20160230.tif", "20160230"),
        ("2016-02-30.tif", "2016-02-30"),
        ("2019-01-01_2020-01-01.tif", "several dates"),
        ("a_20190101_b_20200101.tif", "several dates"),
        ("2018_2019_composite.tif", "several dates"),
        ("2019-05_2019-06.tif", "several dates"),
        ("22MAR01.tif", "22MAR01"),  # 2022 in Maxar's way, or the 22nd
        ("05-03-2019.tif", "05-03-2019"),  # day first, or month first
        ("S2A_MSIL1C_20171302T105031_N0205_R051_T31UFQ_20200801T105034.tif", "not a date"),
    ],
)
def test_names_that_are_not_guessed(name, reason):
    with pytest.raises(ValueError, match=reason):
        dates.from_path(f"2017-01-01/{name}")


@pytest.mark.parametrize(
    ("tags", "expected", "source"),
    [
        ({"ACQUISITION_DATE": "2018-05-30"}, "2018-05-30", "tag ACQUISITION_DATE"),
        ({"acquisition_date": "2021", "DATE_PRECISION": "year"}, "2021", "tag ACQUISITION_DATE"),
        (
            {"ACQUISITION_DATE": "2021-01-01", "DATE_PRECISION": "Year"},
            "2021",
            "tag ACQUISITION_DATE",
        ),
        (
            {"ACQUISITION_DATE": "2021", "DATE_PRECISION": "day"},
            "2021",
            "tag ACQUISITION_DATE",
        ),
        (
            {"ACQUISITION_DATE": "2018-05-30", "ACQUISITION_TIME": "10:51:53"},
            "2018-05-30 10:51 UTC",
            "tag ACQUISITION_DATE",
        ),
        (
            {"ACQUISITIONDATETIME": "2018-05-30 10:51:53", "ACQUISITION_DATE": "2018"},
            "2018-05-30 10:51 UTC",
            "tag ACQUISITIONDATETIME",
        ),
        ({"NITF_IDATIM": "20180530105153"}, "2018-05-30 10:51 UTC", "tag NITF_IDATIM"),
        ({"NITF_IDATIM": "--------------"}, None, None),
        ({"TIFFTAG_DATETIME": "2018:05:30 10:51:53", "AREA_OR_POINT": "Area"}, None, None),
        ({}, None, None),
    ],
)
def test_tags(tags, expected, source):
    found = dates.from_tags(tags)
    assert (found and times.describe(found.span)) == expected
    assert (found and found.source) == source


def test_a_tag_that_is_no_date_is_not_skipped():
    with pytest.raises(ValueError, match="tag ACQUISITION_DATE '30/05/2018' is not a date"):
        dates.from_tags({"ACQUISITION_DATE": "30/05/2018"})


def test_the_time_of_the_tiff_standard():
    found = dates.from_tiff_datetime({"TIFFTAG_DATETIME": "2018:05:30 10:51:53"})
    assert found is not None
    assert times.describe(found.span) == "2018-05-30 10:51 UTC"
    assert dates.from_tiff_datetime({"TIFFTAG_DATETIME": "yesterday"}) is None
    assert dates.from_tiff_datetime({}) is None
